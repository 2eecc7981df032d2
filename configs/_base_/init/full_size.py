# The initializations of a backbone that can be chosen by name: --cfg-options backbone_init=openimages, or a config of
# two lines, `_base_ = "sniper_voc.py"` and `backbone_init = dict(name="openimages")`. LoadBackboneHook reads them.
# Another file: --cfg-options backbone_init.checkpoint=FILE. An entry that is a text says why there is none, and
# `changes` are dotted keys of the config that change with it.
# The paper initializes the heads anew when it fine-tunes; the original's code the offsets of the deformable
# convolutions too, and so does reset_offsets.
backbone_inits = dict(
    scratch=dict(checkpoint=None, changes={"model.backbone.frozen_stages": -1}),
    imagenet_cls=dict(checkpoint="torchvision://resnet101"),
    imagenet_loc=dict(checkpoint="work_dirs/sniper_imagenet_loc/backbone_final.pth", reset_offsets=True),
    coco=dict(checkpoint="work_dirs/sniper_coco/backbone_final.pth", reset_offsets=True),
    openimages=dict(checkpoint="work_dirs/sniper_openimages/backbone_final.pth", reset_offsets=True),
)
backbone_init = dict(name="imagenet_cls")
