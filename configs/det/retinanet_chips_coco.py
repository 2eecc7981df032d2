# mmdet's RetinaNet, ResNet-50 with FPN, on chips of COCO: any mmdet detector learns from chips.
#   mim train mmdet configs/det/retinanet_chips_coco.py --gpus 8 --launcher pytorch
#   mim test mmdet configs/det/retinanet_chips_coco.py --checkpoint work_dirs/retinanet_chips_coco/epoch_12.pth --tta
# 8 GPUs x 16 chips (the learning rate follows the batch). Time, memory and result: not run here. No row of the paper.
# All that chips need of a stock detector: padding to the chip's size, and an assigner that leaves out-of-range objects
# unlabeled. What SNIPER's own heads add, dropping proposals out of the valid range, a stock head does not do.
_base_ = [
    "mmdet::_base_/models/retinanet_r50_fpn.py",
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
    train_cfg=dict(assigner=dict(type="mmdetpre.ChipAssigner", ignore_iou_thr=0.3, ignore_iof_thr=0.5)),
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
auto_scale_lr = dict(enable=True, base_batch_size=16)
