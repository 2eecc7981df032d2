# Proposals of an RPN over the three scales: all sizes of each, one hard NMS, up to 3 x 300.
_base_ = "three_scales.py"
tta_model = dict(test_ranges=None, merge=dict(_delete_=True, type="nms", iou_threshold=0.7), max_per_img=900)
