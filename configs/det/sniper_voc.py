# SNIPER on PASCAL VOC 07+12 from scratch: nothing is frozen. The baseline below the four initialisations of Table 2,
# which are sniper_voc_from_*.py.
#   mim train mmdet configs/det/sniper_voc.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: no row; Table 2 without pre-training.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/voc_chips.py",
    "../_base_/schedules/sniper_14e_voc.py",
    "../_base_/tta/three_scales.py",
    "../_base_/runtime.py",
]
model = dict(backbone=dict(frozen_stages=-1), roi_head=dict(bbox_head=dict(num_classes=20)))
