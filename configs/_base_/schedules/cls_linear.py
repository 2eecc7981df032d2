# Training of a linear classifier alone, which needs a larger step and no weight decay. The recipe is ours.
_base_ = "cls_finetune_30e.py"
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0))
auto_scale_lr = dict(base_batch_size=256)
