# Data of coco_chips.py on chips of 256 pixels, 8 a step, for a machine without a GPU.
_base_ = "coco_chips.py"
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    batch_sampler=dict(lanes=2),
    dataset=dict(chips=dict(chip_size=256, strides=(28, 30))),
)
val_dataloader = dict(num_workers=1)
test_dataloader = val_dataloader
