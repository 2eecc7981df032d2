# DeepLab on PASCAL VOC 2012 with SBD, fine-tuned from ImageNet classification (torchvision's ResNet-101).
#   mim train mmsegmentation configs/seg/deeplab_voc_from_imagenet_cls.py --gpus 8 --launcher pytorch
# Hardware: 8 GPUs x 1 image. Time, memory and result: not run here (no full data set).
# Paper: Table 4, row "ImageNet-CLS": 75.7 mIoU; Figures 3 and 4.
_base_ = [
    "../_base_/models/deeplab_r101_dcn.py",
    "../_base_/datasets/voc_seg.py",
    "../_base_/starts/imagenet_cls.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_30k.py",
]
