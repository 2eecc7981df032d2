# The classifier of resnet101_dcn_cls.py over a backbone that stays as it was loaded, statistics included.
_base_ = "resnet101_dcn_cls.py"
model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
