# SNIPER small enough to learn the drawn sample from scratch on two cores: a ResNet-18 of half width, 128 pixel chips.
_base_ = "sniper_r101_dcn.py"
chip_size = 128
model = dict(
    data_preprocessor=dict(batch_augments=[dict(type="BatchFixedSizePad", size=(chip_size, chip_size), pad_mask=False)]),
    backbone=dict(
        depth=18,
        base_channels=32,
        stem_channels=32,
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        frozen_stages=-1,
        init_cfg=None,
    ),
    neck=dict(in_channels=[128, 256]),
    rpn_head=dict(in_channels=384, feat_channels=128, anchor_generator=dict(scales=[0.75, 1.5, 3, 6])),
    roi_head=dict(
        in_channels=384,
        proj_channels=64,
        proj_std=0.05,
        bbox_roi_extractor=dict(roi_layer=dict(output_size=5, sampling_ratio=1), out_channels=64),
        # Layers this narrow need a wider start than the N(0, 0.01) of the full model.
        bbox_head=dict(
            in_channels=64,
            fc_out_channels=256,
            roi_feat_size=5,
            num_classes=8,
            init_cfg=dict(_delete_=True, type="Xavier", layer="Linear", distribution="uniform"),
        ),
    ),
    train_cfg=dict(
        rpn=dict(min_gt_side=4, num_samples=64),
        rpn_proposal=dict(nms_pre=600, max_per_img=64),
        rcnn=dict(min_gt_side=4, num_rois=64, box_divisor=40),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=100)),
)
