# MobileNetV2 of mmdet, torchvision's form: --cfg-options model.backbone.name=mobilenet_v2. The optimizer stays that of
# the config. docs/my_backbone.md says what each key means.
backbone = dict(type="mmdetpre.MobileNetV2", widen_factor=1.0, norm_cfg=dict(type="BN", requires_grad=True))
channels = (24, 32, 96, 1280)
strides = (4, 8, 16, 32)
out_indices = (1, 2, 4, 7)
frozen_stages = (-1, 0, 2, 3, 5, 8)
norm_eval = True
preprocessing = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
imagenet_cls = dict(checkpoint="torchvision://mobilenet_v2")
