# Classification of Oxford-102 Flowers, fine-tuned from ImageNet classification.
#   mim train mmpretrain configs/cls/flowers102_from_imagenet_cls.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "ImageNet-CLS": 95.0 top-1.
_base_ = ["flowers102.py", "../_base_/starts/imagenet_cls.py"]
