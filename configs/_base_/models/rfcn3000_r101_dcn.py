# R-FCN-3000 on SNIPER's ResNet-101: objectness (one super-class) and boxes from position-sensitive maps, apart from a
# classifier of 3,130 fine classes. All heads read C4+C5 (in the original the RPN reads C4 only).
_base_ = "sniper_r101_dcn.py"
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4, 8, 16, 24])),
    roi_head=dict(
        _delete_=True,
        type="mmdetpre.RFCN3000RoIHead",
        num_classes=3130,
        super_classes=None,  # or the file of tools/analysis_tools/cluster_classes.py, then also classes=...
        classes=None,
        bbox_head=dict(type="mmdetpre.PositionSensitiveHead", in_channels=3072, feat_channels=1024, featmap_stride=16),
        # The original's: dict(_delete_=True, type="mmdetpre.DenseClassifier", in_channels=3072, featmap_stride=16)
        fine_head=dict(type="mmdetpre.PoolFirstClassifier", in_channels=3072, fc_channels=1024, featmap_stride=16),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False),
        loss_fine=dict(type="CrossEntropyLoss", use_sigmoid=False),
        loss_bbox=dict(type="SmoothL1Loss", beta=1.0),
    ),
    train_cfg=dict(rcnn=dict(fine_rois=50, fine_divisor=200)),
    test_cfg=dict(rcnn=dict(objectness_thr=0.01, nms=dict(_delete_=True, type="soft_nms", sigma=0.55, min_score=1e-3))),
)
