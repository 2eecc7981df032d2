# Multi-scale test of SNIPER on COCO and VOC: `mim test mmdet CONFIG --checkpoint CHECKPOINT --tta`. Each scale keeps
# the sizes it is good at, slightly more than it was trained for; soft-NMS over all scales follows.
tta_model = dict(
    type="mmdetpre.MultiScaleTTA",
    test_ranges=[(-1, 90), (32, 180), (75, -1)],
    merge=dict(type="soft_nms", sigma=0.55, min_score=0.001),
    max_per_img=200,
)
tta_pipeline = [
    dict(type="LoadImageFromFile", color_type="color_ignore_orientation"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(2000, 1400), keep_ratio=True),
                dict(type="Resize", scale=(1280, 800), keep_ratio=True),
                dict(type="Resize", scale=(512, 480), keep_ratio=True),
            ],
            # Behind the resize, so that the boxes stay in original pixels, as the metrics take them.
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
                        "image_level_labels",
                    ),
                )
            ],
        ],
    ),
]
