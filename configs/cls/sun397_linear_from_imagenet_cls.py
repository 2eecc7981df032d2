# Linear classification of SUN-397: average-pooled conv5 of ImageNet classification, frozen.
#   mim train mmpretrain configs/cls/sun397_linear_from_imagenet_cls.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 6, row "ImageNet-CLS": 57.3 top-1. Faster, on stored features: tools/analysis_tools/linear_probe.py.
_base_ = [
    "../_base_/models/resnet101_dcn_linear.py",
    "../_base_/datasets/sun397.py",
    "../_base_/schedules/cls_linear.py",
    "../_base_/starts/imagenet_cls.py",
    "../_base_/runtime_mmpretrain.py",
]
# Frozen, so in the form it was trained in: the strides of the classification network, nothing dilated.
model = dict(backbone=dict(strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)), head=dict(num_classes=397))
