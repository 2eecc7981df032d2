# SNIPER on PASCAL VOC 07+12 from scratch: sniper_voc.py with nothing frozen.
#   mim train mmdet configs/det/sniper_voc_scratch.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: no row; Table 2 without pre-training.
_base_ = "sniper_voc.py"
model = dict(backbone=dict(frozen_stages=-1))
backbone_inits = dict(scratch=dict(_delete_=True, checkpoint=None))
backbone_init = dict(name="scratch")
