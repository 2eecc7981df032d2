# SNIPER on the drawn sample in COCO's layout, fine-tuned from SNIPER on the drawn OpenImages.
# 2 cores: as sniper_coco_sample.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_openimages_sample.py
#   mim train mmdet configs/det/sniper_coco_from_openimages_sample.py
_base_ = ["sniper_coco_sample.py", "../_base_/starts/openimages_sample.py"]
