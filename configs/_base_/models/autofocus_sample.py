# AutoFocus for the synthetic sample: stride 8, chips of 128 pixels.
_base_ = "autofocus.py"
focus_head = dict(
    featmap_stride=8,
    channels=64,
    sizes=(2, 24, 34),
    init_cfg=dict(type="Normal", layer="Conv2d", std=0.05),  # layers this narrow need a wider start than N(0, 0.01)
)
