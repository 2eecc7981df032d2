# Linear classification of Caltech-256: average-pooled conv5 of R-FCN-3000 on ImageNet with boxes, frozen.
#   mim train mmpretrain configs/cls/caltech256_linear_from_imagenet_loc.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: in the text, equal to OpenImagesV4. Faster, on stored features: tools/analysis_tools/linear_probe.py.
_base_ = [
    "../_base_/models/resnet101_dcn_linear.py",
    "../_base_/datasets/caltech256.py",
    "../_base_/schedules/cls_linear.py",
    "../_base_/starts/imagenet_loc.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=257))
backbone_start = dict(reset_offsets=False)  # the features are those of the detector
