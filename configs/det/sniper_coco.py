# SNIPER on COCO from ImageNet classification, ResNet-101 with deformable conv5.
#   mim train mmdet configs/det/sniper_coco.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: 46.1 AP on test-dev (sniper_coco_trainval.py), and the "COCO" rows of Tables 2 and 5.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/coco_chips.py",
    "../_base_/schedules/sniper_14e.py",
    "../_base_/tta/three_scales.py",
    "../_base_/starts/imagenet_cls.py",
    "../_base_/runtime.py",
]
