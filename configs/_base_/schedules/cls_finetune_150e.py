# The fine-tuning recipe for data with few images, whose epochs are short.
_base_ = "cls_finetune_30e.py"
train_cfg = dict(max_epochs=150, val_interval=25)
param_scheduler = [dict(type="MultiStepLR", by_epoch=True, milestones=[75, 125], gamma=0.1)]
