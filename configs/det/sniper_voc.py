# SNIPER on PASCAL VOC 07+12, fine-tuned from ImageNet classification or, by one key, another initialization:
#   mim train mmdet configs/det/sniper_voc.py --gpus 8 --launcher pytorch
#   mim train mmdet configs/det/sniper_voc.py --gpus 8 --launcher pytorch --work-dir work_dirs/sniper_voc_openimages \
#       --cfg-options backbone_init=openimages
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: Tables 2 and 3, a row for each initialization. From scratch nothing is frozen: no row.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/voc_chips.py",
    "../_base_/schedules/sniper_14e_voc.py",
    "../_base_/tta/three_scales.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime.py",
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
