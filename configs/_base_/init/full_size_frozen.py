# full_size.py for a backbone that stays as it was loaded: the features are those of the detector, offsets included.
_base_ = "full_size.py"
backbone_inits = dict(
    scratch="a frozen random backbone teaches nothing",
    imagenet_cls="frozen, a classification network keeps its strides: take the config *_linear_imagenet_cls.py",
    imagenet_loc=dict(reset_offsets=False),
    coco=dict(reset_offsets=False),
    openimages=dict(reset_offsets=False),
)
backbone_init = dict(name="openimages")
