# Classification of SUN-397: 19,850 images (first partition), 50 per class to train on. From ImageNet classification or,
# by one key, another initialization (scratch, imagenet_loc, coco, openimages). The recipe is ours.
#   mim train mmpretrain configs/cls/sun397.py
#   mim train mmpretrain configs/cls/sun397.py --work-dir work_dirs/sun397_openimages \
#       --cfg-options backbone_init=openimages
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, a row for each initialization.
_base_ = [
    "../_base_/models/resnet101_dcn_cls.py",
    "../_base_/datasets/sun397.py",
    "../_base_/schedules/cls_finetune_30e.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=397))
