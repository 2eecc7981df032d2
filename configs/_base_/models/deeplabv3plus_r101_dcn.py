# DeepLabV3+: DeepLabV3 with separable convolutions and a decoder that adds the detail of stage 1.
_base_ = "deeplabv3_r101_dcn.py"
model = dict(
    backbone=dict(out_indices=(0, 3)),
    decode_head=dict(
        type="DepthwiseSeparableASPPHead",
        in_index=1,
        c1_in_channels=256,
        c1_channels=48,
    ),
)
