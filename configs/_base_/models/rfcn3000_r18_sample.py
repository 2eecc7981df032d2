# R-FCN-3000 small enough to learn the synthetic sample from scratch on two cores.
_base_ = "sniper_r18_sample.py"
start = dict(type="Normal", layer=["Conv2d", "Linear"], std=0.05)  # narrow layers need a wider start than N(0, 0.01)
model = dict(
    roi_head=dict(
        _delete_=True,
        type="mmdetpre.RFCN3000RoIHead",
        num_classes=8,
        super_classes=None,
        bbox_head=dict(
            type="mmdetpre.PositionSensitiveHead", in_channels=192, feat_channels=64, featmap_stride=8, init_cfg=start
        ),
        fine_head=dict(
            type="mmdetpre.PoolFirstClassifier", in_channels=192, fc_channels=128, featmap_stride=8, init_cfg=start
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False),
        loss_fine=dict(type="CrossEntropyLoss", use_sigmoid=False),
        loss_bbox=dict(type="SmoothL1Loss", beta=1.0),
    ),
    train_cfg=dict(rcnn=dict(fine_rois=16, fine_divisor=16)),
    test_cfg=dict(rcnn=dict(objectness_thr=0.01, nms=dict(_delete_=True, type="soft_nms", sigma=0.55, min_score=1e-3))),
)
