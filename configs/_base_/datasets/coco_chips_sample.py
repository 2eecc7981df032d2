# The synthetic sample in COCO's layout, chips of 128 pixels: `python tools/misc/make_sample.py --layout coco`.
_base_ = "coco_chips.py"
data_root = default_data_root = "data/sample_coco/"
classes = ["Disc", "Ring", "Crescent", "Square", "Triangle", "Cross", "Star", "Heart"]
chips = dict(
    chip_size=128,
    scales=[(288, 384), (192, 256), (-1, 128)],
    valid_ranges=[(-1, 40), (24, 80), (60, -1)],
    strides=(14, 15),
)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (256, 192)
train_dataloader = dict(num_workers=1, dataset=dict(chips=chips, dataset=dict(data_root=data_root, classes=classes)))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, classes=classes, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/instances_val2017.json")
test_evaluator = val_evaluator
