# The synthetic sample in the layout of ImageNet's boxes: `python tools/misc/make_sample.py --layout imagenet_loc`.
_base_ = "imagenet_loc_chips.py"
data_root = default_data_root = "data/sample_imagenet_loc/"
chips = dict(chip_size=128, scales=[(-1, 128)], valid_ranges=[(0, -1)], strides=(14, 15))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (128, 128)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(chips=chips, dataset=dict(data_root=data_root, classes=None)),  # every WordNet id there is
)
val_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, classes="det_classes.txt", pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = dict(classes=[f"n{90000001 + label}" for label in range(8)])
test_evaluator = val_evaluator
