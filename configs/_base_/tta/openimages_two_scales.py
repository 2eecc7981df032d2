# Multi-scale test of SNIPER on OpenImages: two scales, ranges for a longest side of 1024 pixels, wider than those of
# training, (-1, 300) and (240, -1), as COCO's are.
tta_model = dict(
    type="mmdetpre.MultiScaleTTA",
    test_ranges=[(-1, 340), (200, -1)],
    range_reference=1024,
    merge=dict(type="soft_nms", sigma=0.55, min_score=0.001),
    max_per_img=200,
)
tta_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(1024, 768), keep_ratio=True),
                dict(type="Resize", scale=(512, 480), keep_ratio=True),
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
                        "image_level_labels",
                    ),
                    # fmt: on
                )
            ],
        ],
    ),
]
