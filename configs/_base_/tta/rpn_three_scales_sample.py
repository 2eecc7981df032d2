# Proposals of an RPN over the three scales of the drawn sample: all sizes of each, one hard NMS.
_base_ = "rpn_three_scales.py"
tta_model = dict(max_per_img=300)
tta_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(384, 288), keep_ratio=True),
                dict(type="Resize", scale=(256, 192), keep_ratio=True),
                dict(type="Resize", scale=(128, 120), keep_ratio=True),
            ],
            [dict(type="LoadAnnotations", with_bbox=True)],
            [dict(type="PackDetInputs")],
        ],
    ),
]
