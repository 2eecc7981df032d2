# full_size.py for segmentation: from scratch nothing is frozen, and batch normalization is trained, over all GPUs.
_base_ = "full_size.py"
backbone_inits = dict(scratch=dict(changes={"model.backbone.norm_eval": False, "sync_bn": "torch"}))
