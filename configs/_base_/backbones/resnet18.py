# ResNet-18 of mmdet, torchvision's form: --cfg-options model.backbone.name=resnet18. Its last stage is dilated where a
# single map is wanted. The optimizer stays that of the config. docs/my_backbone.md says what each key means.
_base_ = "resnet50.py"
backbone = dict(depth=18)
channels = (64, 128, 256, 512)
imagenet_cls = dict(checkpoint="torchvision://resnet18")
