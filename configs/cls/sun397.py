# Classification of SUN-397 from scratch: 19,850 images (first partition), 50 per class to train on. The recipe is ours.
#   mim train mmpretrain configs/cls/sun397.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: no row; Table 5 without pre-training.
_base_ = [
    "../_base_/models/resnet101_dcn_cls.py",
    "../_base_/datasets/sun397.py",
    "../_base_/schedules/cls_finetune_30e.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=397))
