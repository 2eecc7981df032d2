# SNIPER on COCO, ResNet-101 with deformable conv5, from ImageNet classification or, by one key, from OpenImages:
#   mim train mmdet configs/det/sniper_coco.py --gpus 8 --launcher pytorch
#   mim train mmdet configs/det/sniper_coco.py --gpus 8 --launcher pytorch --work-dir work_dirs/sniper_coco_openimages \
#       --cfg-options backbone_init=openimages
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: 46.1 AP on test-dev (sniper_coco_trainval.py), and the "COCO" rows of Tables 2 and 5. Section 4.1: OpenImages
# over ImageNet. The released models have 47.8 AP on test-dev from OpenImages, 46.5 from ImageNet.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/coco_chips.py",
    "../_base_/schedules/sniper_14e.py",
    "../_base_/tta/three_scales.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime.py",
]
