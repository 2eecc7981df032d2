# The region proposal network alone on the synthetic sample in VOC's layout, then negative chips. 77 s of processor
# time to train; recall at IoU 0.5 is 0.67 with 237 proposals per image.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/rpn_voc_sample.py
#   mim test mmdet configs/det/rpn_voc_sample.py --checkpoint work_dirs/rpn_voc_sample/epoch_2.pth --tta
#   mim train mmdet configs/det/sniper_voc_sample.py --cfg-options \
#       train_dataloader.dataset.proposals=work_dirs/proposals/voc_sample
_base_ = [
    "../_base_/models/sniper_r18_sample.py",
    "../_base_/datasets/voc_chips_sample.py",
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
test_evaluator = dict(_delete_=True, type="mmdetpre.DumpProposals", out_dir="work_dirs/proposals/voc_sample")
