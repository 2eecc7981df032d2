# PASCAL VOC 07+12 trainval, tested on VOC 2007 test; chips of 512 pixels at three scales; `--tta` adds the others.
# Difficult objects are dropped from training and neither hit nor mistake in evaluation.
data_root = "data/VOCdevkit/"
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
# Negative chips, as in the paper: train and test rpn_voc.py as its header says, then train with
# --cfg-options train_dataloader.dataset.proposals=work_dirs/proposals/voc
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
            type="mmdetpre.PackedVOCDataset",
            data_root=data_root,
            sets=[("VOC2007", "trainval"), ("VOC2012", "trainval")],
            classes=None,  # the 20 of VOC
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
        type="mmdetpre.PackedVOCDataset",
        data_root=data_root,
        sets=[("VOC2007", "test")],
        classes=None,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
# AP at IoU 0.1 to 0.9, Figure 1. test_evaluator.outfile_prefix=... writes what the analysis tools read.
val_evaluator = dict(type="mmdetpre.VOCIoUMetric", eval_mode="11points")
test_evaluator = val_evaluator
