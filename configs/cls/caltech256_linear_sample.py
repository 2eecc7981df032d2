# Linear classification of the synthetic sample in Caltech-256's layout: average-pooled conv5 of SNIPER
# on the synthetic OpenImages, frozen; by one key of another one, --cfg-options backbone_init=coco. 2 cores: 20 to 34 s;
# top-1 53.3 (coco 49.0, imagenet_cls 67.3, imagenet_loc 73.3).
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmdet configs/det/sniper_openimages_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_linear_sample.py
_base_ = [
    "../_base_/models/resnet18_linear_sample.py",
    "../_base_/datasets/caltech256_sample.py",
    "../_base_/schedules/cls_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime_mmpretrain.py",
]
model = dict(head=dict(num_classes=5))
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=0.0))
backbone_init = dict(name="openimages")
backbone_inits = dict(scratch="a frozen random backbone teaches nothing")
