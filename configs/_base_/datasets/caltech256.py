# Caltech-256, 60 seeded images of each of the 257 classes to train on (15,420), the others to test on (15,187).
_base_ = "crops_224.py"
dataset_type = "mmdetpre.Caltech256"
data_root = default_data_root = "data/caltech256"
data = dict(type=dataset_type, data_root=data_root, per_class=60, seed=0)
train_dataloader = dict(dataset=dict(split="train", **data))
val_dataloader = dict(dataset=dict(split="test", **data))
test_dataloader = val_dataloader
