# Oxford-102 Flowers: trained on train and validation together (2,040), tested on the official test images (6,149).
_base_ = "crops_224.py"
data = dict(type="mmdetpre.Flowers102", data_root="data/Flowers102")
train_dataloader = dict(dataset=dict(split="trainval", **data))
val_dataloader = dict(dataset=dict(split="test", **data))
test_dataloader = val_dataloader
