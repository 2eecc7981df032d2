# Classification of the drawn sample in Caltech-256's layout, fine-tuned from R-FCN-3000 on the drawn ImageNet.
# 2 cores: as caltech256_sample; top-1 77.0.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmdet configs/det/sniper_imagenet_loc_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_from_imagenet_loc_sample.py
_base_ = ["caltech256_sample.py", "../_base_/starts/imagenet_loc_sample.py"]
