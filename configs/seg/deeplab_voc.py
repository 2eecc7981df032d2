# DeepLab on PASCAL VOC 2012 with SBD from scratch: nothing is frozen, batch normalisation is trained over all GPUs. The
# baseline below the four initialisations of Table 4, which are deeplab_voc_from_*.py.
#   mim train mmsegmentation configs/seg/deeplab_voc.py --gpus 8 --launcher pytorch
# Hardware: 8 GPUs x 1 image. Time, memory and result: not run here (no full data set).
# Paper: no row; Table 4 without pre-training.
_base_ = [
    "../_base_/models/deeplab_r101_dcn.py",
    "../_base_/datasets/voc_seg.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_30k.py",
]
model = dict(backbone=dict(frozen_stages=-1, norm_eval=False))
sync_bn = "torch"
