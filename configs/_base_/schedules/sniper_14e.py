# SNIPER's schedule for averaged gradients at 128 chips: 7 epochs over plain and flipped images = 14 with random flips,
# learning rate / 10 after 5.33 (here 10.67, rounded). With N chips on all GPUs lr is 0.12 * N / 128 (`auto_scale_lr`)
# and weight_decay 1.25e-5 * 128 / N (FollowBatchHook): the original adds up the gradients of its GPUs, so that
# lr * weight_decay is its invariant.
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=14, val_interval=1)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=1000),
    dict(type="MultiStepLR", by_epoch=True, milestones=[11], gamma=0.1),
]
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.12, momentum=0.9, weight_decay=1.25e-5),
    paramwise_cfg=dict(bias_decay_mult=0.0, custom_keys={"conv_offset.bias": dict(decay_mult=0.0)}),
)
auto_scale_lr = dict(enable=True, base_batch_size=128, scale_weight_decay=True)
