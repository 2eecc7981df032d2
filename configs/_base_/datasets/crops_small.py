# crops_224.py on crops of 160 pixels, 32 a step, for a machine without a GPU; tested on the center of 160.
_base_ = "crops_224.py"
train_pipeline = _base_.train_pipeline
train_pipeline[1].scale = 160
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = 184
test_pipeline[2].crop_size = 160
train_dataloader = dict(batch_size=32, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
