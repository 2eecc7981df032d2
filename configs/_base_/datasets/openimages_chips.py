# OpenImages V4 in the layout that mmdet documents, 500 challenge classes, chips of 512 pixels at two scales.
_base_ = "chips_512.py"
dataset_type = "mmdetpre.PackedOpenImagesDataset"
data_root = default_data_root = "data/OpenImages/"
label_file = "annotations/class-descriptions-boxable.csv"
hierarchy_file = "annotations/bbox_labels_600_hierarchy.json"
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (1024, 768)
train_dataloader = dict(
    dataset=dict(
        chips=dict(scales=[(768, 1024), (480, 512)], valid_ranges=[(-1, 300), (240, -1)], range_reference=1024),
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            ann_file="annotations/train-annotations-bbox.csv",
            label_file=label_file,
            hierarchy_file=hierarchy_file,
            data_prefix=dict(img="OpenImages/train/"),
            classes="challenge",
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="annotations/validation-annotations-bbox.csv",
        label_file=label_file,
        hierarchy_file=hierarchy_file,
        image_level_ann_file="annotations/validation-annotations-human-imagelabels-boxable.csv",
        data_prefix=dict(img="OpenImages/validation/"),
        classes="challenge",
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="mmdetpre.OpenImagesMetric", iou_thrs=0.5, ioa_thrs=0.5, use_group_of=True, get_supercategory=False
)
test_evaluator = val_evaluator
