# SNIPER on the synthetic sample in COCO's layout, from scratch or, by one key, from a pre-training of the sample:
#   --cfg-options backbone_init=openimages (AP@0.5 0.35 at one scale, 0.43 with --tta; with a --work-dir of its own)
# 2 cores: 90 steps, as long as sniper_voc_sample; AP@0.5 0.12 at one scale, 0.18 with --tta.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_coco_sample.py
_base_ = [
    "../_base_/models/sniper_r18_sample.py",
    "../_base_/datasets/coco_chips_sample.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/tta/three_scales_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime.py",
]
