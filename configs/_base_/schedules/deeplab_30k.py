# 30,000 steps of 8 images, learning rate / 10 after two thirds, as Dai et al. fine-tune DeepLab with deformable
# convolutions on VOC (2017, section 4.1); ours to choose. `auto_scale_lr` scales lr with the batch.
train_cfg = dict(type="IterBasedTrainLoop", max_iters=30000, val_interval=5000)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
param_scheduler = [dict(type="MultiStepLR", by_epoch=False, milestones=[20000], gamma=0.1)]
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.001, momentum=0.9, weight_decay=0.0005),
)
auto_scale_lr = dict(enable=True, base_batch_size=8)
