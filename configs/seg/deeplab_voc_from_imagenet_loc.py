# DeepLab on PASCAL VOC 2012 with SBD, fine-tuned from R-FCN-3000 on ImageNet with boxes (sniper_imagenet_loc.py).
#   mim train mmsegmentation configs/seg/deeplab_voc_from_imagenet_loc.py --gpus 8 --launcher pytorch
# Hardware: 8 GPUs x 1 image. Time, memory and result: not run here (no full data set).
# Paper: Table 4, row "ImageNet-LOC": 78.3 mIoU; Figures 3 and 4.
_base_ = [
    "../_base_/models/deeplab_r101_dcn.py",
    "../_base_/datasets/voc_seg.py",
    "../_base_/starts/imagenet_loc.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_30k.py",
]
