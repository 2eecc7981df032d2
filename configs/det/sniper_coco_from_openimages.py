# SNIPER on COCO, fine-tuned from SNIPER on OpenImages (sniper_openimages.py).
#   mim train mmdet configs/det/sniper_coco_from_openimages.py --gpus 8 --launcher pytorch
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: section 4.1, COCO after OpenImagesV4; the released model has 47.8 AP on test-dev, 46.5 from ImageNet.
_base_ = "sniper_coco.py"
pretrained = "work_dirs/sniper_openimages/epoch_14.pth"
model = dict(backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=pretrained, prefix="backbone.")))
