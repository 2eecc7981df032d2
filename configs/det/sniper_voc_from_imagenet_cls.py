# SNIPER on PASCAL VOC 07+12, fine-tuned from ImageNet classification.
#   mim train mmdet configs/det/sniper_voc_from_imagenet_cls.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: Table 2, row "ImageNet-CLS": 84.6 / 76.3 mAP at IoU 0.5 / 0.7. Table 3: 14.7 / 15.7 missed.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/voc_chips.py",
    "../_base_/schedules/sniper_14e_voc.py",
    "../_base_/tta/three_scales.py",
    "../_base_/starts/imagenet_cls.py",
    "../_base_/runtime.py",
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
