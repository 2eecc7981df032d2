# Oxford-102 Flowers: trained on train and validation together (2,040), tested on the official test images (6,149).
_base_ = "crops_224.py"
dataset_type = "mmdetpre.Flowers102"
data_root = default_data_root = "data/Flowers102"
train_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root, split="trainval"))
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root, split="test"))
test_dataloader = val_dataloader
