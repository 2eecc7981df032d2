# Classification of Caltech-256: 15,420 images, 60 per class to train on. From ImageNet classification or,
# by one key, another initialization (scratch, imagenet_loc, coco, openimages). The recipe is ours.
#   mim train mmpretrain configs/cls/caltech256.py
#   mim train mmpretrain configs/cls/caltech256.py --work-dir work_dirs/caltech256_openimages \
#       --cfg-options backbone_init=openimages
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, a row for each initialization.
_base_ = [
    "../_base_/models/resnet101_dcn_cls.py",
    "../_base_/datasets/caltech256.py",
    "../_base_/schedules/cls_finetune_30e.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=257))
