# mmdet's RetinaNet on chips of the synthetic sample in COCO layout, from scratch. 57 s of processor time,
# 90 steps: it runs and learns little, AP@0.5 0.04 at one scale, 0.10 with --tta.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/retinanet_chips_coco_sample.py
_base_ = [
    "mmdet::_base_/models/retinanet_r50_fpn.py",
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
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=64, num_outs=3),
    bbox_head=dict(
        num_classes=8,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        anchor_generator=dict(strides=[8, 16, 32]),
        # Layers this narrow need a wider start than mmdet's N(0, 0.01).
        init_cfg=dict(
            type="Normal",
            layer="Conv2d",
            std=0.05,
            override=dict(type="Normal", name="retina_cls", std=0.01, bias_prob=0.01),
        ),
    ),
    train_cfg=dict(assigner=dict(type="mmdetpre.ChipAssigner", ignore_iou_thr=0.3, ignore_iof_thr=0.5)),
)
