# OpenImages V4 in the layout that mmdet documents, 500 challenge classes, chips of 512 pixels at two scales.
data_root = "data/OpenImages/"
label_file = "annotations/class-descriptions-boxable.csv"
hierarchy_file = "annotations/bbox_labels_600_hierarchy.json"
backend_args = None
chips = dict(
    chip_size=512,
    scales=[(768, 1024), (480, 512)],
    valid_ranges=[(-1, 300), (240, -1)],
    range_reference=1024,
    strides=(56, 59),
)
train_pipeline = [
    dict(type="mmdetpre.LoadChip", backend_args=backend_args),
    dict(type="RandomFlip", prob=0.5),
    dict(type="mmdetpre.PackChipInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile", backend_args=backend_args),
    dict(type="Resize", scale=(1024, 768), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(
        type="PackDetInputs",
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances", "image_level_labels"),
    ),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="mmdetpre.ChipMiningSampler"),
    collate_fn=dict(type="mmdetpre.parcel_collate"),
    dataset=dict(
        type="mmdetpre.ChipDataset",
        chips=chips,
        pipeline=train_pipeline,
        max_broken=0.001,
        dataset=dict(
            type="mmdetpre.PackedOpenImagesDataset",
            data_root=data_root,
            ann_file="annotations/train-annotations-bbox.csv",
            label_file=label_file,
            hierarchy_file=hierarchy_file,
            data_prefix=dict(img="OpenImages/train/"),
            classes="challenge",
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdetpre.PackedOpenImagesDataset",
        data_root=data_root,
        ann_file="annotations/validation-annotations-bbox.csv",
        label_file=label_file,
        hierarchy_file=hierarchy_file,
        image_level_ann_file="annotations/validation-annotations-human-imagelabels-boxable.csv",
        data_prefix=dict(img="OpenImages/validation/"),
        classes="challenge",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="mmdetpre.OpenImagesMetric", iou_thrs=0.5, ioa_thrs=0.5, use_group_of=True, get_supercategory=False
)
test_evaluator = val_evaluator
