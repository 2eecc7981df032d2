# SNIPER with instance masks on the synthetic sample in COCO's layout, from scratch.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_mask_coco_sample.py
_base_ = "sniper_coco_sample.py"
model = dict(
    roi_head=dict(
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=1),
            out_channels=64,
            featmap_strides=[8],
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=2,
            in_channels=64,
            conv_out_channels=64,
            num_classes=8,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_rois=8)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)
train_dataloader = dict(dataset=dict(dataset=dict(with_masks=True)))
val_evaluator = dict(type="mmdetpre.CocoMetric", metric=["bbox", "segm"])
test_evaluator = val_evaluator
