# The synthetic sample in Caltech-256's layout: `python tools/misc/make_sample.py --layout caltech256`.
_base_ = "caltech256.py"
data_root = default_data_root = "data/sample_caltech256"
data = dict(data_root=data_root, per_class=20)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="RandomResizedCrop", scale=96, crop_ratio_range=(0.5, 1.0)),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="ResizeEdge", scale=96, edge="short"),
    dict(type="CenterCrop", crop_size=96),
    dict(type="PackInputs"),
]
loader = dict(batch_size=20, num_workers=1, persistent_workers=False)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **data), **loader)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **data), **loader)
test_dataloader = val_dataloader
val_evaluator = [dict(type="Accuracy")]
test_evaluator = val_evaluator
