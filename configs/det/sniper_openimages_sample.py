# SNIPER on the synthetic sample in OpenImages layout: what `make demo` trains. 2 cores, 200 to 250 s, mAP@0.5 0.47.
#   python tools/misc/make_sample.py --out data/sample
#   mim train mmdet configs/det/sniper_openimages_sample.py
_base_ = [
    "../_base_/models/sniper_r18_sample.py",
    "../_base_/datasets/openimages_chips.py",
    "../_base_/schedules/sniper_sample.py",
    "../_base_/tta/openimages_two_scales_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime.py",
]
data_root = default_data_root = "data/sample/"
classes = ["Disc", "Ring", "Crescent", "Square", "Triangle", "Cross", "Star", "Heart"]
chips = dict(
    chip_size=128,
    scales=[(192, 256), (120, 128)],
    valid_ranges=[(-1, 75), (60, -1)],
    range_reference=256,
    strides=(14, 15),
)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (256, 192)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(chips=chips, dataset=dict(data_root=data_root, classes=classes)),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, classes=classes, image_level_ann_file=None, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(filter_labels=False)  # the sample is annotated exhaustively: every detection counts
test_evaluator = val_evaluator
