# ImageNet classification, 1,000 classes, in mmpretrain's layout: train/<wnid>/*.JPEG and val/<wnid>/*.JPEG, or
# meta/val.txt beside images without folders.
_base_ = "crops_224.py"
data = dict(type="ImageNet", data_root="data/imagenet")
train_dataloader = dict(batch_size=32, dataset=dict(split="train", **data))
val_dataloader = dict(dataset=dict(split="val", **data))
test_dataloader = val_dataloader
