# SNIPER on the drawn sample in COCO's layout, fine-tuned from SNIPER on the drawn OpenImages.
# 2 cores: as sniper_coco_sample; AP@0.5 0.35 at one scale, 0.43 with --tta.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_openimages_sample.py
#   mim train mmdet configs/det/sniper_coco_from_openimages_sample.py
_base_ = ["sniper_coco_sample.py", "../_base_/starts/openimages_sample.py"]
