# Classification of the synthetic ImageNet's images by the backbone of the sample detectors: what
# backbone_init=imagenet_cls of the twins names. 2 cores: 26 s; 640 images at 96 pixels.
#   python tools/misc/make_sample.py --layout imagenet_loc
#   mim train mmpretrain configs/cls/imagenet_cls_sample.py
_base_ = [
    "../_base_/models/resnet18_cls_sample.py",
    "../_base_/datasets/imagenet_sample.py",
    "../_base_/schedules/cls_sample.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=8))
train_cfg = dict(max_epochs=2)
param_scheduler = None
val_cfg = test_cfg = None
