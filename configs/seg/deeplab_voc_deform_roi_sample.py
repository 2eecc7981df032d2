# DeepLab with deformable conv5 on the drawn sample in VOC's layout, fine-tuned from SNIPER with the same backbone.
# 2 cores: as deeplab_voc_sample.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_coco_deform_roi_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplab_voc_deform_roi_sample.py
_base_ = "deeplab_voc_sample.py"
model = dict(
    backbone=dict(
        depth=50,
        base_channels=8,
        zero_init_residual=True,
        dcn=dict(_delete_=True, type="mmdetpre.DCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
    ),
    decode_head=dict(in_channels=256, channels=256),
)
backbone_inits = dict(coco_deform_roi=dict(checkpoint="work_dirs/sniper_coco_deform_roi_sample/backbone_final.pth"))
backbone_init = dict(name="coco_deform_roi")
