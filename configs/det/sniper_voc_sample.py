# SNIPER on the drawn sample in VOC's layout, from scratch: the baseline of the fine-tuned ones.
# 2 cores: 106 steps, 92 s of processor time with start and validation; AP at IoU 0.5 about 0.2, at 0.7 about 0.1.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_voc_sample.py
_base_ = [
    "../_base_/models/sniper_r18_sample.py",
    "../_base_/datasets/voc_chips_sample.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/tta/three_scales_sample.py",
    "../_base_/runtime.py",
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=4)))
