# What all classification data share: random crops of 224 pixels to train on; to test on, the center of the image whose
# short side is 256. Pillow decodes, for some .jpg files of SUN-397 are GIF or PNG files.
load = dict(type="LoadImageFromFile", imdecode_backend="pillow")
train_pipeline = [
    load,
    dict(type="RandomResizedCrop", scale=224),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackInputs"),
]
test_pipeline = [
    load,
    dict(type="ResizeEdge", scale=256, edge="short"),
    dict(type="CenterCrop", crop_size=224),
    dict(type="PackInputs"),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=test_pipeline),
)
test_dataloader = val_dataloader
# accuracy/top1 over images; single-label/recall is the mean of the classes' accuracies.
val_evaluator = [dict(type="Accuracy", topk=(1, 5)), dict(type="SingleLabelMetric", items=("recall",))]
test_evaluator = val_evaluator
