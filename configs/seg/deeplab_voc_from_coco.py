# DeepLab on PASCAL VOC 2012 with SBD, fine-tuned from SNIPER on COCO (sniper_coco.py).
#   mim train mmsegmentation configs/seg/deeplab_voc_from_coco.py --gpus 8 --launcher pytorch
# Hardware: 8 GPUs x 1 image. Time, memory and result: not run here (no full data set).
# Paper: no row, Table 4 has none for COCO.
_base_ = [
    "../_base_/models/deeplab_r101_dcn.py",
    "../_base_/datasets/voc_seg.py",
    "../_base_/starts/coco.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_30k.py",
]
