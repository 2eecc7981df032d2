# AutoFocus for the synthetic sample: images of 256 x 192 pixels, chips of 128, cells of 8.
_base_ = "three_scales_sample.py"
tta_model = dict(
    type="mmdetpre.FocusTTA",
    test_ranges=[(-1, 45), (24, 96), (38, -1)],
    focus=[dict(threshold=0.2, dilation=3, min_side=8), dict(threshold=0.02, dilation=3, min_side=4)],
    edge_margin=3.0,
)
