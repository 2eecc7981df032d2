# Swin-T of mmdet: --cfg-options model.backbone.name=swin_tiny. AdamW as in mmdet's own configs: no decay of norms and
# tables of relative positions. docs/my_backbone.md says what each key means.
backbone = dict(
    type="mmdetpre.SwinTransformer",
    embed_dims=96,
    depths=(2, 2, 6, 2),
    num_heads=(3, 6, 12, 24),
    window_size=7,
    drop_path_rate=0.2,
    init_cfg=None,
)
channels = (96, 192, 384, 768)
strides = (4, 8, 16, 32)
frozen_stages = (-1, 0, 1, 2, 3, 4)
preprocessing = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
optim_wrapper = dict(
    optimizer=dict(type="AdamW", betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={"relative_position_bias_table": dict(decay_mult=0.0)},
    ),
)
learning_rates = dict(mmdet=1e-4, mmseg=6e-5, mmpretrain=1.5e-5)  # for 16 images a step
imagenet_cls = dict(
    checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_tiny_patch4_window7_224.pth"
)
