# The backbone with deformable conv5 starts from what the training of sniper_coco_deform_roi_sample.py leaves, offsets
# included. One line in `_base_`, as imagenet_cls.py says.
backbone_start = dict(checkpoint="work_dirs/sniper_coco_deform_roi_sample/backbone_final.pth")
