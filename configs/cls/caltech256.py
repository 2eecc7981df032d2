# Classification of Caltech-256 from scratch: 15,420 images, 60 per class to train on. The recipe is ours.
#   mim train mmpretrain configs/cls/caltech256.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: no row; Table 5 without pre-training.
_base_ = [
    "../_base_/models/resnet101_dcn_cls.py",
    "../_base_/datasets/caltech256.py",
    "../_base_/schedules/cls_finetune_30e.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=257))
