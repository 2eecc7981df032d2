# SNIPER on the pre-activation ResNet-101 of the original release, for its published weights: in a config, name this
# file in place of sniper_r101_dcn.py, and start from the converted weights (LoadBackboneHook of runtime.py reads them):
#   python tools/model_converters/import_checkpoint.py SNIPER-0007.params openimages_r101.pth
#   backbone_init = dict(checkpoint="openimages_r101.pth")
# C4 and C5 are raw sums of residuals. Images: mean color subtracted, no deviation. Stem and stage 1 are frozen.
# MXNetDCN has the parameters of DCN and MXNet's rule at the border of the map.
_base_ = ["./sniper_r101_dcn.py"]
model = dict(
    data_preprocessor=dict(mean=[123.68, 116.779, 103.939], std=[1.0, 1.0, 1.0]),
    backbone=dict(
        _delete_=True,
        type="mmdetpre.PreActResNet",
        depth=101,
        out_indices=(2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        dcn=dict(type="mmdetpre.MXNetDCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
        frozen_stages=1,
        norm_cfg=dict(type="BN", eps=2e-5, momentum=0.005, requires_grad=True),
        norm_eval=False,
    ),
)
