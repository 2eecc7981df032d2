# SNIPER on the drawn sample in COCO's layout, fine-tuned from classification of the drawn ImageNet.
# 2 cores: as sniper_coco_sample.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmpretrain configs/cls/imagenet_cls_sample.py   # its header: its data
#   mim train mmdet configs/det/sniper_coco_from_imagenet_cls_sample.py
_base_ = ["sniper_coco_sample.py", "../_base_/starts/imagenet_cls_sample.py"]
