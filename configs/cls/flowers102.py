# Classification of Oxford-102 Flowers from scratch: 2,040 images, train and validation to train on. The recipe is ours.
#   mim train mmpretrain configs/cls/flowers102.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: no row; Table 5 without pre-training.
_base_ = [
    "../_base_/models/resnet101_dcn_cls.py",
    "../_base_/datasets/flowers102.py",
    "../_base_/schedules/cls_finetune_150e.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=102))
