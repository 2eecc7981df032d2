# ImageNet classification, 1,000 classes, in mmpretrain's layout: train/<wnid>/*.JPEG and val/<wnid>/*.JPEG, or
# meta/val.txt beside images without folders.
_base_ = "crops_224.py"
dataset_type = "ImageNet"
data_root = default_data_root = "data/imagenet"
train_dataloader = dict(batch_size=32, dataset=dict(type=dataset_type, data_root=data_root, split="train"))
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root, split="val"))
test_dataloader = val_dataloader
