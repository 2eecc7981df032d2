# Classification of the synthetic sample in Caltech-256's layout, from scratch or, by one key, from a pre-training:
#   --cfg-options backbone_init=coco (top-1 81.7; imagenet_cls 75.0, imagenet_loc 77.0, openimages 73.7; each with a
#   --work-dir of its own)
# 2 cores: 60 steps, 34 to 48 s with start and test; top-1 76.0, chance 20. One seed, 300 test images.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmpretrain configs/cls/caltech256_sample.py
_base_ = [
    "../_base_/models/resnet18_cls_sample.py",
    "../_base_/datasets/caltech256_sample.py",
    "../_base_/schedules/cls_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=5))
