# PASCAL VOC 2012 with SBD (docs/segmentation.md says where to put the files): 10,582 training and 1,449 test images.
# Short side 360, long side at most 600, in training and in test.
dataset_type = "mmdetpre.VOCSegmentationDataset"
data_root = default_data_root = "data/VOCdevkit/VOC2012/"
scale = (600, 360)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="mmdetpre.LoadLabelMap"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="mmdetpre.LoadLabelMap"),  # behind Resize: the truth keeps its size
    dict(type="PackSegInputs"),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        sets=[("train", "SegmentationClass"), ("aug", "SegmentationClassAug")],
        classes=None,  # the 21 of VOC
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        sets=[("val", "SegmentationClass")],
        classes=None,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="IoUMetric")
# Trimaps, Figure 4. test_evaluator.outfile_prefix=... writes what tools/analysis_tools/trimap_curves.py draws; whole
# images have the numbers of mmseg's IoUMetric.
test_evaluator = dict(type="mmdetpre.TrimapIoUMetric")
