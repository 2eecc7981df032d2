# Linear classification of SUN-397: average-pooled conv5 of SNIPER on COCO, frozen.
#   mim train mmpretrain configs/cls/sun397_linear_from_coco.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: no row, Table 6 has none for COCO. Faster, on stored features: tools/analysis_tools/linear_probe.py.
_base_ = [
    "../_base_/models/resnet101_dcn_linear.py",
    "../_base_/datasets/sun397.py",
    "../_base_/schedules/cls_linear.py",
    "../_base_/starts/coco.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=397))
backbone_start = dict(reset_offsets=False)  # the features are those of the detector
