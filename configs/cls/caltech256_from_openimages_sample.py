# Classification of the drawn sample in Caltech-256's layout, fine-tuned from SNIPER on the drawn OpenImages.
# 2 cores: as caltech256_sample; top-1 73.7.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmdet configs/det/sniper_openimages_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_from_openimages_sample.py
_base_ = ["caltech256_sample.py", "../_base_/starts/openimages_sample.py"]
