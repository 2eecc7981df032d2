# DeepLab on the drawn sample in VOC's layout, fine-tuned from R-FCN-3000 on the drawn ImageNet-LOC.
# 2 cores: as deeplab_voc_sample.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_imagenet_loc_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplab_voc_from_imagenet_loc_sample.py
_base_ = ["deeplab_voc_sample.py", "../_base_/starts/imagenet_loc_sample.py"]
