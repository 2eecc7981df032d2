# R-FCN-3000 on the synthetic sample in ImageNet's layout; tested on its 6 DET-like classes, to which 7 of its 8 map.
# 2 cores, 80 steps, 85 s beside other work; mAP@0.5 about 0.17.
#   python tools/misc/make_sample.py --layout imagenet_loc --out data/sample_imagenet_loc
#   mim train mmdet configs/det/sniper_imagenet_loc_sample.py
_base_ = [
    "../_base_/models/rfcn3000_r18_sample.py",
    "../_base_/datasets/imagenet_loc_chips_sample.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime.py",
]
