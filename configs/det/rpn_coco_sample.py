# The region proposal network alone on the synthetic sample in COCO's layout, then negative chips. As rpn_voc_sample.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/rpn_coco_sample.py
#   mim test mmdet configs/det/rpn_coco_sample.py --checkpoint work_dirs/rpn_coco_sample/epoch_2.pth --tta
#   mim train mmdet configs/det/sniper_coco_sample.py --cfg-options \
#       train_dataloader.dataset.proposals=work_dirs/proposals/coco_sample
_base_ = [
    "../_base_/models/sniper_r18_sample.py",
    "../_base_/datasets/coco_chips_sample.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/tta/rpn_three_scales_sample.py",
    "../_base_/init/sample.py",
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
test_evaluator = dict(_delete_=True, type="mmdetpre.DumpProposals", out_dir="work_dirs/proposals/coco_sample")
