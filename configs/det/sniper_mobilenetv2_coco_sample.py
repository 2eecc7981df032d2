# SNIPER with MobileNetV2 on the synthetic sample in COCO's layout, from scratch: sniper_coco_sample.py on the backbone
# of sniper_mobilenetv2_coco.py, at full width, which learns slower: 8 epochs. 2 cores: 4 minutes, AP@0.5 0.17.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_mobilenetv2_coco_sample.py
_base_ = "sniper_coco_sample.py"
model = dict(backbone=dict(name="mobilenet_v2"))
train_cfg = dict(max_epochs=8, val_interval=8)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 8
