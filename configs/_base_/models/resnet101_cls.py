# An ordinary ResNet-101 of total stride 32: the classification network whose weights the detectors start from.
_base_ = "resnet101_dcn_cls.py"
model = dict(
    backbone=dict(strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1), dcn=None, stage_with_dcn=(False, False, False, False)),
)
