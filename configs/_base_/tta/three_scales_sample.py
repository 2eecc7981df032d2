# The three-scale test for the drawn sample: images of 256 x 192 pixels, chips of 128.
_base_ = "three_scales.py"
tta_model = dict(test_ranges=[(-1, 45), (24, 96), (38, -1)])
tta_pipeline = [
    dict(type="LoadImageFromFile", color_type="color_ignore_orientation"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(384, 288), keep_ratio=True),
                dict(type="Resize", scale=(256, 192), keep_ratio=True),
                dict(type="Resize", scale=(128, 120), keep_ratio=True),
            ],
            [dict(type="LoadAnnotations", with_bbox=True)],
            [
                dict(
                    type="PackDetInputs",
                    meta_keys=(
                        "img_id",
                        "img_path",
                        "ori_shape",
                        "img_shape",
                        "scale_factor",
                        "flip",
                        "flip_direction",
                        "instances",
                    ),
                )
            ],
        ],
    ),
]
