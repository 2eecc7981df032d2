# Classification of the drawn sample in Caltech-256's layout, fine-tuned from classification of the drawn ImageNet.
# 2 cores: as caltech256_sample; top-1 75.0.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmpretrain configs/cls/imagenet_cls_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_from_imagenet_cls_sample.py
_base_ = ["caltech256_sample.py", "../_base_/starts/imagenet_cls_sample.py"]
