# The drawn sample in VOC's layout: `python tools/misc/make_sample.py --layout voc`.
_base_ = "voc_seg.py"
data_root = "data/sample_voc/VOCdevkit/VOC2012/"
classes = ["background", "Arrow", "Hourglass", "Arch", "Clover"]
scale = (256, 192)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="mmdetpre.LoadLabelMap"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="RandomCrop", crop_size=(128, 128)),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="mmdetpre.LoadLabelMap"),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, sets=[("train", "SegmentationClass")], classes=classes, pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, classes=classes, pipeline=test_pipeline))
test_dataloader = val_dataloader
test_evaluator = dict(type="mmdetpre.TrimapIoUMetric", widths=list(range(1, 13)))  # hardly an object is wider
