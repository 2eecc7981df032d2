# Linear classification of SUN-397: average-pooled conv5 of SNIPER on OpenImages, frozen.
#   mim train mmpretrain configs/cls/sun397_linear_from_openimages.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 6, row "OpenImagesV4": 51.1 top-1. Faster, on stored features: tools/analysis_tools/linear_probe.py.
_base_ = [
    "../_base_/models/resnet101_dcn_linear.py",
    "../_base_/datasets/sun397.py",
    "../_base_/schedules/cls_linear.py",
    "../_base_/starts/openimages.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=397))
backbone_start = dict(reset_offsets=False)  # the features are those of the detector
