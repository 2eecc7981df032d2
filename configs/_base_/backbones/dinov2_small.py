# ViT-S/14 of mmpretrain, DINOv2's form: --cfg-options model.backbone.name=dinov2_small. One map of stride 14 after each
# third layer, so that images are padded to whole patches and anchors keep their sizes in pixels; the strides of a
# pyramid are 3.5, 7, 14, 28 (RescaleMaps). Positions are for images of 518 pixels, as published, and resized to each
# image. AdamW as for vit_small. No such weights of ImageNet classification are known. docs/my_backbone.md: each key.
backbone = dict(
    type="mmpretrain.VisionTransformer",
    arch="dinov2-small",
    img_size=518,
    patch_size=14,
    drop_path_rate=0.1,
    layer_scale_init_value=1.0,  # 1e-5, as in mmpretrain's own configs, keeps a short training from moving it
    out_type="featmap",
)
channels = (384, 384, 384, 384)
strides = (14, 14, 14, 14)
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
