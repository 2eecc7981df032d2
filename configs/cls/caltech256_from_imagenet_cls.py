# Classification of Caltech-256, fine-tuned from ImageNet classification.
#   mim train mmpretrain configs/cls/caltech256_from_imagenet_cls.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "ImageNet-CLS": 86.3 top-1.
_base_ = ["caltech256.py", "../_base_/starts/imagenet_cls.py"]
