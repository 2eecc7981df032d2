# DeepLab on PASCAL VOC 2012 with SBD from scratch: deeplab_voc.py with nothing frozen, and batch normalization trained
# over all GPUs.
#   mim train mmsegmentation configs/seg/deeplab_voc_scratch.py --gpus 8 --launcher pytorch
# Hardware: 8 GPUs x 1 image. Time, memory and result: not run here (no full data set).
# Paper: no row; Table 4 without pre-training.
_base_ = "deeplab_voc.py"
model = dict(backbone=dict(frozen_stages=-1, norm_eval=False))
sync_bn = "torch"
backbone_inits = dict(scratch=dict(_delete_=True, checkpoint=None))
backbone_init = dict(name="scratch")
