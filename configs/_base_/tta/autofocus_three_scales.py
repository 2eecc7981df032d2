# AutoFocus on COCO and VOC, for a detector with ../models/autofocus.py: whole images at the coarsest scale, at the
# others the rectangles around what the coarser one took for small objects. Ranges and settings of the original.
_base_ = "three_scales.py"
tta_model = dict(
    type="mmdetpre.FocusTTA",
    test_ranges=[(-1, 75), (32, 180), (75, -1)],
    focus=[  # of each scale but the coarsest; dilation and least side in cells of the coarser map
        dict(threshold=0.2, dilation=3, min_side=20),
        dict(threshold=0.02, dilation=3, min_side=16),
    ],
    edge_margin=10.0,
)
