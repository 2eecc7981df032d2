# SNIPER with MobileNetV2 on the synthetic sample in COCO's layout, from scratch: sniper_coco_sample.py on the backbone
# of sniper_mobilenetv2_coco.py, at full width.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_mobilenetv2_coco_sample.py
_base_ = "sniper_coco_sample.py"
model = dict(backbone=dict(name="mobilenet_v2"))
