# The synthetic sample in ImageNet's layout, without boxes: `python tools/misc/make_sample.py --layout imagenet_loc`.
_base_ = "crops_224.py"
dataset_type = "CustomDataset"
data_root = default_data_root = "data/sample_imagenet_loc/images"
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="RandomResizedCrop", scale=96),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackInputs"),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=False,
    dataset=dict(type=dataset_type, data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
