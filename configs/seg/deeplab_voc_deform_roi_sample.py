# DeepLab with deformable conv5 on the synthetic sample in VOC's layout, fine-tuned from SNIPER with the same backbone.
# 2 cores: as deeplab_voc_sample.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_coco_deform_roi_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplab_voc_deform_roi_sample.py
_base_ = ["deeplab_voc_sample.py", "../_base_/models/resnet50_dcn_sample.py"]
model = dict(
    backbone=_base_.dcn_backbone,
    decode_head=dict(in_channels=256, channels=256),
)
backbone_inits = dict(coco_deform_roi=dict(checkpoint="work_dirs/sniper_coco_deform_roi_sample/backbone_final.pth"))
backbone_init = dict(name="coco_deform_roi")
