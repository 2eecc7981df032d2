# DeepLabV3: atrous spatial pyramid pooling on the same backbone. Its batch normalization is joined over all GPUs
# (`sync_bn`), as there are few images on each.
_base_ = "deeplab_r101_dcn.py"
model = dict(
    decode_head=dict(
        _delete_=True,
        type="ASPPHead",
        in_channels=2048,
        in_index=0,
        channels=512,
        dilations=(1, 6, 12, 18),
        dropout_ratio=0.1,
        norm_cfg=dict(type="BN", requires_grad=True),
        num_classes=21,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, avg_non_ignore=True),
    ),
)
sync_bn = "torch"
