# SNIPER on COCO, fine-tuned from ImageNet classification: sniper_coco.py under the name that a study looks for.
#   mim train mmdet configs/det/sniper_coco_from_imagenet_cls.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: section 4.1, COCO from ImageNet-CLS, AP at IoU 0.5 / 0.75 of 67.5 / 52.2.
_base_ = "sniper_coco.py"
