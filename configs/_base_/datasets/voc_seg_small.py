# voc_seg.py on crops of 256 pixels, 8 a step, for a machine without a GPU; tested on whole images.
_base_ = "voc_seg.py"
scale = (384, 288)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[2].scale = test_pipeline[1].scale = scale
train_pipeline.insert(3, dict(type="RandomCrop", crop_size=(256, 256), cat_max_ratio=0.9))
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
