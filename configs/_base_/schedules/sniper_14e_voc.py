# SNIPER's schedule for VOC: the learning rate falls at the end of epoch 5 of 7, that is 10 of 14 with random flips.
_base_ = "sniper_14e.py"
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=1000),
    dict(type="MultiStepLR", by_epoch=True, milestones=[10], gamma=0.1),
]
