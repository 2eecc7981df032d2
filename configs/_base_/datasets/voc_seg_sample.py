# The synthetic sample in VOC's layout: `python tools/misc/make_sample.py --layout voc`.
_base_ = "voc_seg.py"
data_root = default_data_root = "data/sample_voc/VOCdevkit/VOC2012/"
classes = ["background", "Arrow", "Hourglass", "Arch", "Clover"]
scale = (256, 192)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[2].scale = test_pipeline[1].scale = scale
train_pipeline.insert(3, dict(type="RandomCrop", crop_size=(128, 128)))
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, sets=[("train", "SegmentationClass")], classes=classes, pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, classes=classes, pipeline=test_pipeline))
test_dataloader = val_dataloader
test_evaluator = dict(type="mmdetpre.TrimapIoUMetric", widths=list(range(1, 13)))  # hardly an object is wider
