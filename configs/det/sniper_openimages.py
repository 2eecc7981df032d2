# SNIPER pre-training on OpenImages V4 (500 challenge classes), ResNet-101 with deformable conv5.
#   mim train mmdet configs/det/sniper_openimages.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set, no GPU).
# Paper: 45 mAP at IoU 0.5 on validation, two scales, and the "OpenImagesV4" rows of Tables 2 to 6; Table 7.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/openimages_chips.py",
    "../_base_/schedules/sniper_14e.py",
    "../_base_/tta/openimages_two_scales.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime.py",
]
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[3, 6, 12, 24])),
    roi_head=dict(bbox_head=dict(num_classes=500)),
    train_cfg=dict(rcnn=dict(box_divisor=300)),
)
