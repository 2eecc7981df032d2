# Classification of the drawn sample in Caltech-256's layout by the backbone with deformable conv5 of SNIPER.
# 2 cores: as caltech256_sample.
#   python tools/misc/make_sample.py --layout caltech256
#   mim train mmdet configs/det/sniper_coco_deform_roi_sample.py   # its header: its data
#   mim train mmpretrain configs/cls/caltech256_deform_roi_sample.py
_base_ = "caltech256_sample.py"
model = dict(
    backbone=dict(
        depth=50,
        base_channels=8,
        zero_init_residual=True,
        dcn=dict(_delete_=True, type="mmdetpre.DCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
    ),
    head=dict(in_channels=256),
)
backbone_inits = dict(coco_deform_roi=dict(checkpoint="work_dirs/sniper_coco_deform_roi_sample/backbone_final.pth"))
backbone_init = dict(name="coco_deform_roi")
