# SNIPER on ResNet-101: conv5 dilated with deformable 3x3 convolutions of 4 groups, total stride 16.
# Stem and stage 1 are frozen, batch normalization is trained everywhere else. The weights of the backbone come from a
# file of ../starts.
chip_size = 512
gpu = dict(bfloat16=True)  # where the GPU has it
model = dict(
    type="mmdetpre.SNIPER",
    data_preprocessor=dict(
        type="mmdetpre.ChipDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=16,
        batch_augments=[dict(type="BatchFixedSizePad", size=(chip_size, chip_size), pad_mask=False)],
    ),
    backbone=dict(
        type="ResNet",
        depth=101,
        out_indices=(2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        dcn=dict(type="mmdetpre.DCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=True),
        norm_eval=False,
        style="pytorch",
        init_cfg=None,
    ),
    neck=dict(type="mmdetpre.ConcatNeck", in_channels=[1024, 2048]),
    rpn_head=dict(
        type="mmdetpre.ChipRPNHead",
        in_channels=3072,
        feat_channels=512,
        anchor_generator=dict(
            type="mmdetpre.RoundedAnchorGenerator",
            strides=[16],
            ratios=[0.5, 1.0, 2.0],
            scales=[2, 4, 7, 10, 13, 16, 24],
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False),
        loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=3.0),
    ),
    roi_head=dict(
        type="mmdetpre.ChipRoIHead",
        in_channels=3072,
        proj_channels=256,
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2),
            out_channels=256,
            featmap_strides=[16],
        ),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=256,
            fc_out_channels=1024,
            roi_feat_size=14,
            num_classes=80,
            reg_class_agnostic=True,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0),
            init_cfg=dict(type="Normal", layer="Linear", std=0.01),
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            ignore_iou_thr=0.3,
            num_samples=256,
            pos_fraction=0.5,
            min_gt_side=10,
            allowed_border=32,
        ),
        rpn_proposal=dict(nms_pre=6000, nms=dict(type="nms", iou_threshold=0.7), max_per_img=300, min_bbox_size=3),
        rcnn=dict(
            num_rois=300,
            box_divisor=188,
            pos_iou_thr=0.5,
            group_iof_thr=0.9,
            min_gt_side=10,
            ignore_invalid_gt=False,
            soft_sampling=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=12000, nms=dict(type="nms", iou_threshold=0.7), max_per_img=300, min_bbox_size=3),
        rcnn=dict(score_thr=0.001, nms=dict(type="nms", iou_threshold=0.45), max_per_img=200),
    ),
)
