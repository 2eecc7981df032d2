# The deformable backbone of the sample: a ResNet-50, for its bottlenecks, of an eighth of the width.
dcn_backbone = dict(
    depth=50,
    base_channels=8,
    zero_init_residual=True,
    dcn=dict(_delete_=True, type="mmdetpre.DCN", deform_groups=4),
    stage_with_dcn=(False, False, False, True),
)
