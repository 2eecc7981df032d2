# COCO 2017 in its official layout, chips of 512 pixels at three scales; tested at one scale, `--tta` adds the others.
data_root = "data/coco/"
backend_args = None
chips = dict(
    chip_size=512,
    scales=[(1400, 2000), (800, 1280), (-1, 512)],
    valid_ranges=[(-1, 80), (32, 150), (120, -1)],
    strides=(56, 59),
)
train_pipeline = [
    dict(type="mmdetpre.LoadChip", backend_args=backend_args),
    dict(type="RandomFlip", prob=0.5),
    dict(type="mmdetpre.PackChipInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile", color_type="color_ignore_orientation", backend_args=backend_args),
    dict(type="Resize", scale=(1280, 800), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")),
]
# Negative chips, as in the paper: train and test rpn_coco.py as its header says, then train with
# --cfg-options train_dataloader.dataset.proposals=work_dirs/proposals/coco
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
            type="mmdetpre.PackedCocoDataset",
            data_root=data_root,
            ann_file="annotations/instances_train2017.json",
            data_prefix=dict(img="train2017/"),
            classes=None,  # the 80 of COCO
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
        type="mmdetpre.PackedCocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_val2017.json",
        data_prefix=dict(img="val2017/"),
        classes=None,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="CocoMetric", ann_file=data_root + "annotations/instances_val2017.json", metric="bbox")
test_evaluator = val_evaluator
