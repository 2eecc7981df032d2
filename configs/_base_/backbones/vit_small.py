# ViT-S/16 of mmpretrain (DeiT's form): --cfg-options model.backbone.name=vit_small. One map of stride 16 after every
# third layer; a pyramid scales them (RescaleMaps). AdamW, a rate that falls by a quarter per layer from the head down,
# and no decay of norms, biases and positions. docs/my_backbone.md says what each key means.
backbone = dict(
    type="mmpretrain.VisionTransformer",
    arch="deit-small",
    img_size=224,
    patch_size=16,
    drop_path_rate=0.1,
    out_type="featmap",
)
channels = (384, 384, 384, 384)
strides = (16, 16, 16, 16)
out_indices = (2, 5, 8, 11)
joined = (3,)
classifier = dict(backbone=dict(out_type="cls_token"), neck=None)
frozen_stages = (-1, None, 3, 6, 9, 12)
preprocessing = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
optim_wrapper = dict(
    constructor="mmdetpre.LayerDecayConstructor",
    optimizer=dict(type="AdamW", betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        layer_decay_rate=0.75,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys={"cls_token": dict(decay_mult=0.0), "pos_embed": dict(decay_mult=0.0)},
    ),
)
learning_rates = dict(mmdet=1e-4, mmseg=6e-5, mmpretrain=1.5e-5)  # for 16 images a step
imagenet_cls = dict(
    checkpoint="https://download.openmmlab.com/mmclassification/v0/deit/deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth"
)
