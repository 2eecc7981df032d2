# SNIPER with deformable conv5 and RoI pooling on the drawn sample in COCO layout, from scratch. 194 s of processor
# time beside other work, 90 steps; AP@0.5 0.12 at one scale, 0.18 with --tta.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_coco_deform_roi_sample.py
_base_ = "sniper_coco_sample.py"
model = dict(
    # Deformable convolutions stand in bottlenecks: ResNet-50 of an eighth of its width.
    backbone=dict(
        depth=50,
        base_channels=8,
        zero_init_residual=True,
        dcn=dict(_delete_=True, type="mmdetpre.DCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
    ),
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
