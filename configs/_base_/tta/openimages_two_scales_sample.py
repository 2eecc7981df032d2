# The two-scale test for the synthetic sample: images of 256 x 192 pixels, chips of 128.
_base_ = "openimages_two_scales.py"
tta_model = dict(test_ranges=[(-1, 85), (50, -1)], range_reference=256)
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type="Resize", scale=(256, 192), keep_ratio=True),
    dict(type="Resize", scale=(128, 120), keep_ratio=True),
]
