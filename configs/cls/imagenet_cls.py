# Classification of ImageNet by an ordinary ResNet-101: the "ImageNet-CLS" initialization, made with the suite.
#   mim train mmpretrain configs/cls/imagenet_cls.py --gpus 8 --launcher pytorch
# Then in any config: --cfg-options backbone_init.checkpoint=work_dirs/imagenet_cls/backbone_final.pth;
# backbone_init=imagenet_cls are torchvision's weights. Images: data/imagenet in mmpretrain's layout.
# Hardware: 8 GPUs x 32 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: pre-training for the "ImageNet-CLS" rows of Tables 2 to 6. mmpretrain's model zoo: 77.97 top-1, 100 epochs.
_base_ = [
    "../_base_/models/resnet101_cls.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/cls_90e.py",
    "../_base_/runtime_mmpretrain.py",
]
