# COCO 2017 in its official layout, chips of 512 pixels at three scales; tested at one scale, `--tta` adds the others.
_base_ = "chips_512.py"
dataset_type = "mmdetpre.PackedCocoDataset"
data_root = default_data_root = "data/coco/"
test_pipeline = _base_.test_pipeline
test_pipeline[0] = dict(type="LoadImageFromFile", color_type="color_ignore_orientation")
# Negative chips, as in the paper: train and test rpn_coco.py as its header says, then train with
# --cfg-options train_dataloader.dataset.proposals=work_dirs/proposals/coco
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            ann_file="annotations/instances_train2017.json",
            data_prefix=dict(img="train2017/"),
            classes=None,  # the 80 of COCO
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="annotations/instances_val2017.json",
        data_prefix=dict(img="val2017/"),
        classes=None,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type="CocoMetric", ann_file=data_root + "annotations/instances_val2017.json", metric="bbox")
test_evaluator = val_evaluator
