# SUN-397, first partition: 50 images of each class to train on and 50 to test on, 19,850 each.
_base_ = "crops_224.py"
dataset_type = "mmdetpre.SUN397"
data_root = default_data_root = "data/SUN397"
data = dict(type=dataset_type, data_root=data_root, partition=1)
train_dataloader = dict(dataset=dict(split="train", **data))
val_dataloader = dict(dataset=dict(split="test", **data))
test_dataloader = val_dataloader
