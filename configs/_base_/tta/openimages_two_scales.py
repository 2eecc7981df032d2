# Multi-scale test of SNIPER on OpenImages: two scales, ranges for a longest side of 1024 pixels, wider than those of
# training, (-1, 300) and (240, -1), as COCO's are.
_base_ = "three_scales.py"
tta_model = dict(test_ranges=[(-1, 340), (200, -1)], range_reference=1024)
tta_pipeline = _base_.tta_pipeline
tta_pipeline[0] = dict(type="LoadImageFromFile")
tta_pipeline[1].transforms[0] = [
    dict(type="Resize", scale=(1024, 768), keep_ratio=True),
    dict(type="Resize", scale=(512, 480), keep_ratio=True),
]
