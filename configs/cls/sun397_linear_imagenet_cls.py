# Linear classification of SUN-397: average-pooled conv5 of ImageNet classification, frozen, and so in the form
# it was trained in: the strides of the classification network, nothing dilated. Otherwise sun397_linear.py.
#   mim train mmpretrain configs/cls/sun397_linear_imagenet_cls.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 6, row "ImageNet-CLS": 57.3 top-1.
_base_ = "sun397_linear.py"
model = dict(backbone=dict(strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)))
backbone_inits = dict(imagenet_cls=dict(_delete_=True, checkpoint="torchvision://resnet101"))
backbone_init = dict(name="imagenet_cls")
