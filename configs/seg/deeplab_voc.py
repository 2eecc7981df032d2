# DeepLab on PASCAL VOC 2012 with SBD, fine-tuned from ImageNet classification or, by one key, another initialization:
#   mim train mmsegmentation configs/seg/deeplab_voc.py --gpus 8 --launcher pytorch
#   mim train mmsegmentation configs/seg/deeplab_voc.py --gpus 8 --launcher pytorch \
#       --work-dir work_dirs/deeplab_voc_openimages --cfg-options backbone_init=openimages
# Hardware: 8 GPUs x 1 image. Time, memory and result: not run here (no full data set).
# Paper: Table 4 and Figures 3 and 4, a row for each initialization; none for COCO.
# From scratch nothing is frozen: no row.
_base_ = [
    "../_base_/models/deeplab_r101_dcn.py",
    "../_base_/datasets/voc_seg.py",
    "../_base_/init/full_size_seg.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_30k.py",
]
