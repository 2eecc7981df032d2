# Caltech-256, 60 seeded images of each of the 257 classes to train on (15,420), the others to test on (15,187).
_base_ = "crops_224.py"
data = dict(type="mmdetpre.Caltech256", data_root="data/caltech256", per_class=60, seed=0)
train_dataloader = dict(dataset=dict(split="train", **data))
val_dataloader = dict(dataset=dict(split="test", **data))
test_dataloader = val_dataloader
