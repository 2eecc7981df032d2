# ImageNet with boxes (Fall 2011 release, 3,130 classes), one chip per image: the longest side becomes 512 pixels.
# Tested on ILSVRC-DET val, whose 200 classes are reached by WordNet id.
data_root = "data/imagenet_loc/"
classes = "wnids_3130.txt"  # one WordNet id per line, below data_root
names_file = "words.txt"  # WordNet id and name, as the release has it
class_map = "det_class_map.txt"  # lines "n01440764 n02512053": WordNet id in training, WordNet id in DET
backend_args = None
chips = dict(chip_size=512, scales=[(-1, 512)], valid_ranges=[(0, -1)], strides=(56, 59))
train_pipeline = [
    dict(type="mmdetpre.LoadChip", backend_args=backend_args),
    dict(type="RandomFlip", prob=0.5),
    dict(type="mmdetpre.PackChipInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile", backend_args=backend_args),
    dict(type="Resize", scale=(512, 512), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")),
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
            type="mmdetpre.PackedImageNetLOCDataset",
            data_root=data_root,
            ann_dir="Annotation",
            data_prefix=dict(img="images/"),
            classes=classes,
            names_file=names_file,
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
        type="mmdetpre.PackedImageNetLOCDataset",
        data_root=data_root,
        ann_dir="ILSVRC/Annotations/DET/val",
        ann_file="ILSVRC/ImageSets/DET/val.txt",
        data_prefix=dict(img="ILSVRC/Data/DET/val/"),
        classes="imagenet_det",  # the 200 of ILSVRC-DET, in the label order of its development kit
        names_file=names_file,
        class_map=class_map,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="mmdetpre.ImageNetDETMetric", classes=data_root + classes)
test_evaluator = val_evaluator
