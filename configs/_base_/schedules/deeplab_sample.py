# A schedule for a minute: 8 images a step, warm-up, cosine; AdamW, which learns faster from scratch than SGD.
steps = 40
train_cfg = dict(type="IterBasedTrainLoop", max_iters=steps, val_interval=steps)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=10),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=0, end=steps),
]
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.002, weight_decay=0.01))
