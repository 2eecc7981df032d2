# The classifier of resnet18_cls_sample.py over a backbone that stays as it was loaded, statistics included.
_base_ = "resnet18_cls_sample.py"
model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
