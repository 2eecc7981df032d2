# ConvNeXt-T of mmpretrain: --cfg-options model.backbone.name=convnext_tiny. AdamW, a rate that falls by 5 % per layer
# from the head down, and no decay of norms, biases and layer scale. docs/my_backbone.md says what each key means.
backbone = dict(
    type="mmdetpre.ConvNeXt",
    arch="tiny",
    drop_path_rate=0.2,
    layer_scale_init_value=1.0,  # as in mmdet's configs; 1e-6, the other default, keeps a short training from moving it
    gap_before_final_norm=False,
)
channels = (96, 192, 384, 768)
strides = (4, 8, 16, 32)
classifier = dict(backbone=dict(gap_before_final_norm=True), neck=None)  # pooled, then the norm, as it was pre-trained
frozen_stages = (0, None, 1, 2, 3, 4)
preprocessing = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
optim_wrapper = dict(
    constructor="mmdetpre.LayerDecayConstructor",
    optimizer=dict(type="AdamW", betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay_rate=0.95, norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0),
)
learning_rates = dict(mmdet=2e-4, mmseg=1e-4, mmpretrain=1.5e-5)  # for 16 images a step
imagenet_cls = dict(
    checkpoint="https://download.openmmlab.com/mmclassification/v0/convnext/convnext-tiny_32xb128-noema_in1k_20221208-5d4509c7.pth"
)
