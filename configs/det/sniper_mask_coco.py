# SNIPER on COCO with the mask head of Mask R-CNN: instance masks learned from chips.
#   mim train mmdet configs/det/sniper_mask_coco.py --gpus 8 --launcher pytorch
#   mim test mmdet configs/det/sniper_mask_coco.py --checkpoint CHECKPOINT --tta
# As in the original repository: RoIs of 14x14, four convolutions of 256, masks of 28x28, one per class. There 10 chips
# per GPU; here 16 as in sniper_coco.py. Time, memory and result: not run here (no full data set). Not in the paper.
_base_ = "sniper_coco.py"
model = dict(
    roi_head=dict(
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2),
            out_channels=256,
            featmap_strides=[16],
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            num_classes=80,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_rois=32)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)
train_dataloader = dict(dataset=dict(dataset=dict(with_masks=True)))
val_evaluator = dict(type="mmdetpre.CocoMetric", metric=["bbox", "segm"])
test_evaluator = val_evaluator
