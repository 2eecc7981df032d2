# SNIPER small enough to learn the synthetic sample from scratch on two cores: ResNet-18 of quarter width, total stride
# 8, chips of 128 pixels.
_base_ = "sniper_r101_dcn.py"
chip_size = 128
model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type="BatchFixedSizePad", size=(chip_size, chip_size), pad_mask=False)]
    ),
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        frozen_stages=-1,
        zero_init_residual=False,
    ),
    neck=dict(in_channels=[64, 128]),
    rpn_head=dict(in_channels=192, feat_channels=64, anchor_generator=dict(strides=[8], scales=[1.5, 3, 6, 12])),
    roi_head=dict(
        in_channels=192,
        proj_channels=64,
        proj_std=0.05,
        bbox_roi_extractor=dict(roi_layer=dict(output_size=5, sampling_ratio=1), out_channels=64, featmap_strides=[8]),
        # Layers this narrow need a wider start than the N(0, 0.01) of the full model: mmdet's default.
        bbox_head=dict(in_channels=64, fc_out_channels=256, roi_feat_size=5, num_classes=8, init_cfg=None),
    ),
    train_cfg=dict(
        rpn=dict(min_gt_side=4, num_samples=64),
        rpn_proposal=dict(nms_pre=600, max_per_img=32),
        rcnn=dict(min_gt_side=4, num_rois=32, box_divisor=20),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=100)),
)
