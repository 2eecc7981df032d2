# SNIPER on the training and validation images of the synthetic sample in COCO's layout, tested as
# sniper_coco_test_dev_sample.py is. 2 cores: a third longer than sniper_coco_sample.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_coco_trainval_sample.py
_base_ = "sniper_coco_test_dev_sample.py"
train_dataloader = dict(dataset=dict(dataset=dict(further=[("annotations/instances_val2017.json", "val2017/")])))
val_cfg = val_dataloader = val_evaluator = None
