# SNIPER on COCO's trainval: train2017 (trainval35k of the 2014 release) and val2017 (its minival) together, so that no
# image with known boxes is left to validate on; tested on test-dev as sniper_coco_test_dev.py is.
#   mim train mmdet configs/det/sniper_coco_trainval.py --gpus 8 --launcher pytorch
#   mim test mmdet configs/det/sniper_coco_trainval.py --checkpoint CHECKPOINT --tta --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: 46.1 AP on test-dev; Table 1 counts the 0.89M objects of both.
_base_ = "sniper_coco_test_dev.py"
train_dataloader = dict(dataset=dict(dataset=dict(further=[("annotations/instances_val2017.json", "val2017/")])))
val_cfg = val_dataloader = val_evaluator = None
