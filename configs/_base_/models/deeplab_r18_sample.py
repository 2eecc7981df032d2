# DeepLab small enough to learn the synthetic sample on two cores: the backbone of sniper_r18_sample.py, total stride 8.
# Batch normalization is trained: batches are large enough, and a run from scratch needs it.
_base_ = "deeplab_r101_dcn.py"
model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        frozen_stages=-1,
        norm_eval=False,
        zero_init_residual=False,
    ),
    decode_head=dict(in_channels=128, channels=128, num_convs=0, num_classes=5),  # without the reduction: 128 are few
)
