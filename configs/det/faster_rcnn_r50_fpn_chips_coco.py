# mmdet's Faster R-CNN, ResNet-50 with FPN, on chips of COCO: any mmdet detector learns from chips.
#   mim train mmdet configs/det/faster_rcnn_r50_fpn_chips_coco.py --gpus 8 --launcher pytorch
#   mim test mmdet configs/det/faster_rcnn_r50_fpn_chips_coco.py --checkpoint CHECKPOINT --tta
# 8 GPUs x 16 chips (the learning rate follows the batch). Time, memory and result: not run here. No row of the paper.
# All that chips need of a stock detector: padding to the chip's size, and assigners that leave out-of-range objects
# unlabeled. What SNIPER's own heads add, dropping proposals out of the valid range, a stock RPN does not do.
_base_ = [
    "mmdet::_base_/models/faster-rcnn_r50_fpn.py",
    "../_base_/datasets/coco_chips.py",
    "mmdet::_base_/schedules/schedule_1x.py",
    "../_base_/tta/three_scales.py",
    "../_base_/runtime.py",
]
chip_size = 512
model = dict(
    data_preprocessor=dict(
        type="mmdetpre.ChipDataPreprocessor",
        batch_augments=[dict(type="BatchFixedSizePad", size=(chip_size, chip_size), pad_mask=False)],
    ),
    train_cfg=dict(
        rpn=dict(assigner=dict(type="mmdetpre.ChipAssigner", ignore_iou_thr=0.3, ignore_iof_thr=0.5)),
        rcnn=dict(assigner=dict(type="mmdetpre.ChipAssigner", ignore_iou_thr=0.5, ignore_iof_thr=0.5)),
    ),
)
auto_scale_lr = dict(enable=True, base_batch_size=16)
