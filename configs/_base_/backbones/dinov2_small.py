# ViT-S/14 of mmpretrain, DINOv2's form: --cfg-options model.backbone.name=dinov2_small. One map of stride 14 after each
# third layer, so that images are padded to whole patches and anchors keep their sizes in pixels; the strides of a
# pyramid are 3.5, 7, 14, 28 (RescaleMaps). Positions are for images of 518 pixels, as published, and resized to each
# image. AdamW as for vit_small. No such weights of ImageNet classification are known. docs/my_backbone.md: each key.
_base_ = "vit_small.py"
backbone = dict(
    arch="dinov2-small",
    img_size=518,
    patch_size=14,
    layer_scale_init_value=1.0,  # 1e-5, as in mmpretrain's own configs, keeps a short training from moving it
)
strides = (14, 14, 14, 14)
imagenet_cls = None
