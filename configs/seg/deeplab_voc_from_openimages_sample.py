# DeepLab on the drawn sample in VOC's layout, fine-tuned from SNIPER on the drawn OpenImages.
# 2 cores: as deeplab_voc_sample.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_openimages_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplab_voc_from_openimages_sample.py
_base_ = ["deeplab_voc_sample.py", "../_base_/starts/openimages_sample.py"]
