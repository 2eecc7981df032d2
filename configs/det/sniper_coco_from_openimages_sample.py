# SNIPER on the drawn sample in COCO's layout, fine-tuned from SNIPER on the drawn OpenImages.
# 2 cores: as sniper_coco_sample.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_openimages_sample.py
#   mim train mmdet configs/det/sniper_coco_from_openimages_sample.py
_base_ = "sniper_coco_sample.py"
pretrained = "work_dirs/sniper_openimages_sample/epoch_2.pth"
start = dict(type="Pretrained", checkpoint=pretrained, prefix="backbone.", _delete_=True)
model = dict(backbone=dict(init_cfg=start))
