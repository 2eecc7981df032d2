# Linear classification of Caltech-256: average-pooled conv5 of a detector, frozen. SNIPER on OpenImages or,
# by one key, another one (coco, imagenet_loc, imagenet_cls).
# Faster, on stored features: tools/analysis_tools/linear_probe.py.
#   mim train mmpretrain configs/cls/caltech256_linear.py
#   mim train mmpretrain configs/cls/caltech256_linear.py --work-dir work_dirs/caltech256_linear_coco \
#       --cfg-options backbone_init=coco
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 6, OpenImagesV4; ImageNet-LOC and COCO in its text.
# ImageNet-CLS (84.7 top-1) keeps the strides it was trained with.
_base_ = [
    "../_base_/models/resnet101_dcn_linear.py",
    "../_base_/datasets/caltech256.py",
    "../_base_/schedules/cls_linear.py",
    "../_base_/init/full_size_frozen.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=257))
