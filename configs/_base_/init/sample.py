# full_size.py for the synthetic data: what the trainings of the twins leave.
backbone_inits = dict(
    scratch=dict(checkpoint=None),
    imagenet_cls=dict(checkpoint="work_dirs/imagenet_cls_sample/backbone_final.pth"),
    imagenet_loc=dict(checkpoint="work_dirs/sniper_imagenet_loc_sample/backbone_final.pth"),
    coco=dict(checkpoint="work_dirs/sniper_coco_sample/backbone_final.pth"),
    openimages=dict(checkpoint="work_dirs/sniper_openimages_sample/backbone_final.pth"),
)
backbone_init = dict(name="scratch")
