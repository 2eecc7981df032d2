# Classification of Oxford-102 Flowers: 2,040 images, train and validation to train on. From ImageNet classification or,
# by one key, another initialization (scratch, imagenet_loc, coco, openimages). The recipe is ours.
#   mim train mmpretrain configs/cls/flowers102.py
#   mim train mmpretrain configs/cls/flowers102.py --work-dir work_dirs/flowers102_openimages \
#       --cfg-options backbone_init=openimages
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, a row for each initialization.
_base_ = [
    "../_base_/models/resnet101_dcn_cls.py",
    "../_base_/datasets/flowers102.py",
    "../_base_/schedules/cls_finetune_150e.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=102))
