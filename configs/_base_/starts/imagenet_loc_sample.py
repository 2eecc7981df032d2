# The backbone starts from what the training of sniper_imagenet_loc_sample.py leaves.
# One line in `_base_`, as imagenet_cls.py says.
backbone_start = dict(checkpoint="work_dirs/sniper_imagenet_loc_sample/backbone_final.pth")
