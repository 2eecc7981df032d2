# full_size.py for a backbone that stays as it was loaded: the features are those of the detector, offsets included, or
# those of the classification network, with its strides and nothing dilated.
_base_ = "full_size.py"
backbone_inits = dict(
    scratch="a frozen random backbone teaches nothing",
    imagenet_cls=dict(changes={"model.backbone.strides": (1, 2, 2, 2), "model.backbone.dilations": (1, 1, 1, 1)}),
    imagenet_loc=dict(reset_offsets=False),
    coco=dict(reset_offsets=False),
    openimages=dict(reset_offsets=False),
)
backbone_init = dict(name="openimages")
