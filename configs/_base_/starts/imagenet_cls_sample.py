# The backbone starts from what the training of imagenet_cls_sample.py leaves.
# One line in `_base_`, as imagenet_cls.py says.
backbone_start = dict(checkpoint="work_dirs/imagenet_cls_sample/backbone_final.pth")
