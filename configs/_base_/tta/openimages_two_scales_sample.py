# The two-scale test for the drawn sample: images of 256 x 192 pixels, chips of 128.
_base_ = "openimages_two_scales.py"
tta_model = dict(test_ranges=[(-1, 85), (50, -1)], range_reference=256)
tta_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(256, 192), keep_ratio=True),
                dict(type="Resize", scale=(128, 120), keep_ratio=True),
            ],
            [dict(type="LoadAnnotations", with_bbox=True)],
            [
                dict(
                    type="PackDetInputs",
                    # fmt: off
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
                    # fmt: on
                )
            ],
        ],
    ),
]
