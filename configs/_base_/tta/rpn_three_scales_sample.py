# Proposals of an RPN on the synthetic sample over its three scales: all sizes of each, one hard NMS.
_base_ = "three_scales_sample.py"
tta_model = dict(test_ranges=None, merge=dict(_delete_=True, type="nms", iou_threshold=0.7), max_per_img=900)
