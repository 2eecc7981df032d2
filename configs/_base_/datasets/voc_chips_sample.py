# The drawn sample in VOC's layout, chips of 128 pixels: `python tools/misc/make_sample.py --layout voc`.
_base_ = "voc_chips.py"
data_root = "data/sample_voc/VOCdevkit/"
classes = ["Arrow", "Hourglass", "Arch", "Clover"]
chips = dict(
    chip_size=128,
    scales=[(288, 384), (192, 256), (-1, 128)],
    valid_ranges=[(-1, 40), (24, 80), (60, -1)],
    strides=(14, 15),
)
test_pipeline = [
    dict(type="LoadImageFromFile", color_type="color_ignore_orientation"),
    dict(type="Resize", scale=(256, 192), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")),
]
train_dataloader = dict(
    num_workers=1,
    dataset=dict(chips=chips, dataset=dict(data_root=data_root, sets=[("VOC2012", "train")], classes=classes)),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, sets=[("VOC2012", "val")], classes=classes, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
