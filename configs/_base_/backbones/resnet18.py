# ResNet-18 of mmdet, torchvision's form: --cfg-options model.backbone.name=resnet18. Its last stage is dilated where a
# single map is wanted. The optimizer stays that of the config. docs/my_backbone.md says what each key means.
backbone = dict(
    type="mmdet.ResNet",
    depth=18,
    norm_cfg=dict(type="BN", requires_grad=True),
    norm_eval=False,
    style="pytorch",
    init_cfg=None,
)
channels = (64, 128, 256, 512)
strides = (4, 8, 16, 32)
dense = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
frozen_stages = (-1, 0, 1, 2, 3, 4)
norm_eval = True
preprocessing = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
imagenet_cls = dict(checkpoint="torchvision://resnet18")
