# SNIPER with AutoFocus on the synthetic sample in COCO's layout.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_coco_autofocus_sample.py
_base_ = [
    "../_base_/models/sniper_r18_sample.py",
    "../_base_/models/autofocus_sample.py",
    "../_base_/datasets/coco_chips_sample.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/tta/autofocus_three_scales_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime.py",
]
