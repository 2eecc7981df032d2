# Classification of Oxford-102 Flowers, fine-tuned from R-FCN-3000 on ImageNet with boxes (sniper_imagenet_loc.py).
#   mim train mmpretrain configs/cls/flowers102_from_imagenet_loc.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "ImageNet-LOC": 90.9 top-1.
_base_ = ["flowers102.py", "../_base_/starts/imagenet_loc.py"]
