# The region proposal network of SNIPER alone on COCO, for negative chips. Three commands:
#   mim train mmdet configs/det/rpn_coco.py --gpus 8 --launcher pytorch
#   mim test mmdet configs/det/rpn_coco.py --checkpoint work_dirs/rpn_coco/epoch_4.pth --tta --gpus 8 --launcher pytorch
#   mim train mmdet configs/det/sniper_coco.py --gpus 8 --launcher pytorch --cfg-options \
#       train_dataloader.dataset.proposals=work_dirs/proposals/coco
# Its backbone is initialized as the detector's: give both the same backbone_init.
# Two of the original's epochs (plain and flipped images) are four here, with random flips.
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: the negative chips of COCO's 46.1 AP.
_base_ = [
    "../_base_/models/sniper_r101_dcn.py",
    "../_base_/datasets/coco_chips.py",
    "../_base_/schedules/rpn_4e.py",
    "../_base_/tta/rpn_three_scales.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime.py",
]
model = dict(type="RPN", roi_head=None)
val_cfg = val_dataloader = val_evaluator = None
# The training images as they are: not flipped, none left out.
test_dataloader = dict(
    dataset=dict(
        _delete_=True, **_base_.train_dataloader.dataset.dataset, pipeline=_base_.test_pipeline, test_mode=True
    )
)
test_evaluator = dict(_delete_=True, type="mmdetpre.DumpProposals", out_dir="work_dirs/proposals/coco")
