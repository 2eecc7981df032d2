# SNIPER with deformable conv5 and RoI pooling on the synthetic sample in COCO layout, from scratch. 194 s of processor
# time beside other work, 90 steps; AP@0.5 0.12 at one scale, 0.18 with --tta.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_coco_deform_roi_sample.py
_base_ = ["sniper_coco_sample.py", "../_base_/models/resnet50_dcn_sample.py"]
model = dict(
    backbone=_base_.dcn_backbone,
    neck=dict(in_channels=[128, 256]),
    rpn_head=dict(in_channels=384),
    roi_head=dict(
        in_channels=384,
        bbox_roi_extractor=dict(
            _delete_=True,
            type="mmdetpre.DeformRoIExtractor",
            roi_layer=dict(output_size=5, sampling_ratio=1, gamma=0.1),
            out_channels=64,
            featmap_strides=[8],
        ),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"offset_fc": dict(lr_mult=0.01)}))
