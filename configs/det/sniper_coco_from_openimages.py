# SNIPER on COCO, fine-tuned from SNIPER on OpenImages (sniper_openimages.py).
#   mim train mmdet configs/det/sniper_coco_from_openimages.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: section 4.1, COCO after OpenImagesV4, AP at IoU 0.5 / 0.75 +0.7 / +1.4 over ImageNet-CLS. The released model
# has 47.8 AP on test-dev, 46.5 from ImageNet.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/coco_chips.py",
    "../_base_/schedules/sniper_14e.py",
    "../_base_/tta/three_scales.py",
    "../_base_/starts/openimages.py",
    "../_base_/runtime.py",
]
