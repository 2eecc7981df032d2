# PASCAL VOC 07+12 trainval, tested on VOC 2007 test; chips of 512 pixels at three scales; `--tta` adds the others.
# Difficult objects are dropped from training and neither hit nor mistake in evaluation.
_base_ = "chips_512.py"
dataset_type = "mmdetpre.PackedVOCDataset"
data_root = default_data_root = "data/VOCdevkit/"
test_pipeline = _base_.test_pipeline
test_pipeline[0] = dict(type="LoadImageFromFile", color_type="color_ignore_orientation")
# Negative chips, as in the paper: train and test rpn_voc.py as its header says, then train with
# --cfg-options train_dataloader.dataset.proposals=work_dirs/proposals/voc
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            sets=[("VOC2007", "trainval"), ("VOC2012", "trainval")],
            classes=None,  # the 20 of VOC
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, sets=[("VOC2007", "test")], classes=None, pipeline=test_pipeline
    )
)
test_dataloader = val_dataloader
# AP at IoU 0.1 to 0.9, Figure 1. test_evaluator.outfile_prefix=... writes what the analysis tools read.
val_evaluator = dict(type="mmdetpre.VOCIoUMetric", eval_mode="11points")
test_evaluator = val_evaluator
