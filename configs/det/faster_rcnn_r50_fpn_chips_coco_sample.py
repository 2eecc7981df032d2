# mmdet's Faster R-CNN on chips of the synthetic sample in COCO layout, from scratch. 77 s of processor time,
# 90 steps: it runs and hardly learns, AP@0.5 0.01 at one scale, 0.05 with --tta.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/faster_rcnn_r50_fpn_chips_coco_sample.py
_base_ = [
    "mmdet::_base_/models/faster-rcnn_r50_fpn.py",
    "../_base_/datasets/coco_chips_sample.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/tta/three_scales_sample.py",
    "../_base_/runtime.py",
]
chip_size = 128
model = dict(
    data_preprocessor=dict(
        type="mmdetpre.ChipDataPreprocessor",
        batch_augments=[dict(type="BatchFixedSizePad", size=(chip_size, chip_size), pad_mask=False)],
    ),
    backbone=dict(depth=18, base_channels=16, stem_channels=16, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[16, 32, 64, 128], start_level=1, out_channels=64, num_outs=3),
    rpn_head=dict(in_channels=64, feat_channels=64, anchor_generator=dict(scales=[2, 3], strides=[8, 16, 32])),
    roi_head=dict(
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=5, sampling_ratio=1),
            out_channels=64,
            featmap_strides=[8, 16, 32],
            finest_scale=28,
        ),
        bbox_head=dict(in_channels=64, fc_out_channels=256, roi_feat_size=5, num_classes=8),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(type="mmdetpre.ChipAssigner", ignore_iou_thr=0.3, ignore_iof_thr=0.5), sampler=dict(num=64)
        ),
        rpn_proposal=dict(nms_pre=300, max_per_img=64),
        rcnn=dict(
            assigner=dict(type="mmdetpre.ChipAssigner", ignore_iou_thr=0.5, ignore_iof_thr=0.5), sampler=dict(num=64)
        ),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100)),
)
