# Classification of the drawn ImageNet's images by the backbone of the sample detectors: the start of
# sniper_voc_from_imagenet_cls_sample.py. 2 cores: 33 s; 640 images at 96 pixels.
#   python tools/misc/make_sample.py --layout imagenet_loc
#   mim train mmpretrain configs/cls/imagenet_cls_sample.py
_base_ = "../_base_/runtime.py"
default_scope = "mmpretrain"
custom_hooks = [dict(type="mmdetpre.LoadBackboneHook"), dict(type="mmdetpre.ExportBackboneHook", overwrite=True)]
default_hooks = dict(visualization=dict(_delete_=True, type="VisualizationHook", enable=False))
visualizer = dict(_delete_=True, type="UniversalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
model = dict(
    type="ImageClassifier",
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True, num_classes=8),
    backbone=dict(
        type="mmdet.ResNet",
        depth=18,
        base_channels=16,
        stem_channels=16,
        out_indices=(3,),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 1, 2),
        frozen_stages=-1,
        norm_eval=False,
        zero_init_residual=False,
    ),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=8, in_channels=128, loss=dict(type="CrossEntropyLoss")),
)
data = dict(type="CustomDataset", data_root="data/sample_imagenet_loc/images")
steps = [dict(type="LoadImageFromFile"), dict(type="RandomResizedCrop", scale=96), dict(type="PackInputs")]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(**data, pipeline=[steps[0], steps[1], dict(type="RandomFlip", prob=0.5), steps[2]]),
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=2)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.002, weight_decay=0.01))
