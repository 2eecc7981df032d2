# Classification of the synthetic sample in Caltech-256's layout by the backbone with deformable conv5 of SNIPER.
# 2 cores: as caltech256_sample.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmdet configs/det/sniper_coco_deform_roi_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_deform_roi_sample.py
_base_ = ["caltech256_sample.py", "../_base_/models/resnet50_dcn_sample.py"]
model = dict(
    backbone=_base_.dcn_backbone,
    head=dict(in_channels=256),
)
backbone_inits = dict(coco_deform_roi=dict(checkpoint="work_dirs/sniper_coco_deform_roi_sample/backbone_final.pth"))
backbone_init = dict(name="coco_deform_roi")
