# What all data of detection share: chips of 512 pixels to train on, whole images at one scale to test on.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(1280, 800), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),  # behind Resize, so that boxes stay in pixels of the image
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
    batch_sampler=dict(type="mmdetpre.ChipBatchSampler", lanes=8),  # num_workers or a multiple: each image decoded once
    collate_fn=dict(type="mmdetpre.parcel_collate"),
    dataset=dict(
        type="mmdetpre.ChipDataset",
        chips=dict(
            chip_size=512,
            scales=[(1400, 2000), (800, 1280), (-1, 512)],
            valid_ranges=[(-1, 80), (32, 150), (120, -1)],
            strides=(56, 59),
        ),
        pipeline=[
            dict(type="mmdetpre.LoadChip"),
            dict(type="mmdetpre.FlipChip", prob=0.5),
            dict(type="mmdetpre.PackChipInputs"),
        ],
        max_broken=0.001,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
