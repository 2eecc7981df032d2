# The backbone starts from what the training of sniper_coco_sample.py leaves.
# One line in `_base_`, as imagenet_cls.py says.
backbone_start = dict(checkpoint="work_dirs/sniper_coco_sample/backbone_final.pth")
