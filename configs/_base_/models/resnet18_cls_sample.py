# A classifier small enough to learn the synthetic sample on two cores: the backbone of sniper_r18_sample.py.
_base_ = "resnet101_dcn_cls.py"
model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        zero_init_residual=False,
    ),
    head=dict(in_channels=128),
)
