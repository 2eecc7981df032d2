# The three-scale test for the synthetic sample: images of 256 x 192 pixels, chips of 128.
_base_ = "three_scales.py"
tta_model = dict(test_ranges=[(-1, 45), (24, 96), (38, -1)])
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type="Resize", scale=(384, 288), keep_ratio=True),
    dict(type="Resize", scale=(256, 192), keep_ratio=True),
    dict(type="Resize", scale=(128, 120), keep_ratio=True),
]
