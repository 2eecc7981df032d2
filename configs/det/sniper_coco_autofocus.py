# SNIPER on COCO with AutoFocus: it also learns where small objects are, and finer scales look there only.
#   mim train mmdet configs/det/sniper_coco_autofocus.py --gpus 8 --launcher pytorch
#   mim test mmdet configs/det/sniper_coco_autofocus.py --checkpoint CHECKPOINT --tta
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set). No row of the
# paper; "AutoFocus" (2019) has 47.9 AP on test-dev from OpenImages, 2.5 times as fast as the whole pyramid.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/models/autofocus.py",
    "../_base_/datasets/coco_chips.py",
    "../_base_/schedules/sniper_14e.py",
    "../_base_/tta/autofocus_three_scales.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime.py",
]
