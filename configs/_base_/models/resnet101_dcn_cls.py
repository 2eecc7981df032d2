# The backbone of sniper_r101_dcn.py, average-pooled, under a linear classifier with softmax. Everything is trained,
# batch normalization included. The weights of the backbone come from a file of ../starts.
gpu = dict(bfloat16=True)  # where the GPU has it
model = dict(
    type="ImageClassifier",
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(
        type="mmdet.ResNet",
        depth=101,
        out_indices=(3,),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        dcn=dict(type="mmdetpre.DCN", deform_groups=4),
        stage_with_dcn=(False, False, False, True),
        frozen_stages=-1,
        norm_cfg=dict(type="BN", requires_grad=True),
        norm_eval=False,
        style="pytorch",
        init_cfg=None,
    ),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=1000, in_channels=2048, loss=dict(type="CrossEntropyLoss")),
)
