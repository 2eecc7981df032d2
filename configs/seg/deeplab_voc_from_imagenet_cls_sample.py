# DeepLab on the drawn sample in VOC's layout, fine-tuned from classification of the drawn ImageNet's images.
# 2 cores: as deeplab_voc_sample.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmpretrain configs/cls/imagenet_cls_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplab_voc_from_imagenet_cls_sample.py
_base_ = ["deeplab_voc_sample.py", "../_base_/starts/imagenet_cls_sample.py"]
