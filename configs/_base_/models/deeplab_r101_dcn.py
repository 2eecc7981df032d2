# DeepLab of the paper: the detectors' ResNet-101 (conv5 dilated and deformable, output stride 16), a 1x1 convolution to
# 1024 channels with ReLU, one that scores the classes, bilinear upsampling. Batches are small: the statistics of batch
# normalization stay those of the start.
gpu = dict(bfloat16=True)  # where the GPU has it
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=16,
        seg_pad_val=255,
        test_cfg=dict(size_divisor=16),
    ),
    backbone=dict(
        type="mmdet.ResNet",
        depth=101,
        out_indices=(3,),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        dcn=dict(type="mmdetpre.DCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=True),
        norm_eval=True,
        style="pytorch",
        init_cfg=None,
    ),
    decode_head=dict(
        type="FCNHead",
        in_channels=2048,
        in_index=0,
        channels=1024,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=21,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
