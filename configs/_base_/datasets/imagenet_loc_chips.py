# ImageNet with boxes (Fall 2011 release, 3,130 classes), one chip per image: the longest side becomes 512 pixels.
# Tested on ILSVRC-DET val, whose 200 classes are reached by WordNet id.
_base_ = "chips_512.py"
dataset_type = "mmdetpre.PackedImageNetLOCDataset"
data_root = default_data_root = "data/imagenet_loc/"
classes = "wnids_3130.txt"  # one WordNet id per line, below data_root
names_file = "words.txt"  # WordNet id and name, as the release has it
class_map = "det_class_map.txt"  # lines "n01440764 n02512053": WordNet id in training, WordNet id in DET
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (512, 512)
train_dataloader = dict(
    dataset=dict(
        chips=dict(scales=[(-1, 512)], valid_ranges=[(0, -1)]),
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            ann_dir="Annotation",
            data_prefix=dict(img="images/"),
            classes=classes,
            names_file=names_file,
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_dir="ILSVRC/Annotations/DET/val",
        ann_file="ILSVRC/ImageSets/DET/val.txt",
        data_prefix=dict(img="ILSVRC/Data/DET/val/"),
        classes="imagenet_det",  # the 200 of ILSVRC-DET, in the label order of its development kit
        names_file=names_file,
        class_map=class_map,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type="mmdetpre.ImageNetDETMetric", classes=data_root + classes)
test_evaluator = val_evaluator
