# Two of the original's epochs, each over plain and flipped images, are four with random flips. The learning rate stays
# constant after the warm-up: the original's step lies behind epoch 5.
_base_ = "sniper_14e.py"
train_cfg = dict(max_epochs=4)
param_scheduler = [dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=1000)]
