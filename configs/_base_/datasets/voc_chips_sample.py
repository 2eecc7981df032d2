# The synthetic sample in VOC's layout, chips of 128 pixels: `python tools/misc/make_sample.py --layout voc`.
_base_ = "voc_chips.py"
data_root = default_data_root = "data/sample_voc/VOCdevkit/"
classes = ["Arrow", "Hourglass", "Arch", "Clover"]
chips = dict(
    chip_size=128,
    scales=[(288, 384), (192, 256), (-1, 128)],
    valid_ranges=[(-1, 40), (24, 80), (60, -1)],
    strides=(14, 15),
)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (256, 192)
data = dict(data_root=data_root, classes=classes)
train_dataloader = dict(num_workers=1, dataset=dict(chips=chips, dataset=dict(sets=[("VOC2012", "train")], **data)))
val_dataloader = dict(num_workers=1, dataset=dict(sets=[("VOC2012", "val")], pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
