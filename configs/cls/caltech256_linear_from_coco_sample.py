# Linear classification of the drawn sample in Caltech-256's layout: average-pooled conv5 of
# SNIPER on the drawn COCO, frozen. 2 cores: 20 to 34 s; top-1 49.0.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmdet configs/det/sniper_coco_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_linear_from_coco_sample.py
_base_ = [
    "../_base_/models/resnet18_linear_sample.py",
    "../_base_/datasets/caltech256_sample.py",
    "../_base_/schedules/cls_sample.py",
    "../_base_/starts/coco_sample.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=5))
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=0.0))
