# Segmentation of the drawn sample in VOC's layout: a fully convolutional head on the backbone of the sample detectors.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmsegmentation configs/seg/fcn_voc_sample.py
# 2 cores: 30 s of processor time, mIoU 46 from scratch. Another start: --cfg-options backbone_start.checkpoint=FILE
_base_ = ["../_base_/runtime.py"]
default_scope = "mmseg"
custom_hooks = [dict(type="mmdetpre.LoadBackboneHook"), dict(type="mmdetpre.ExportBackboneHook", overwrite=True)]
default_hooks = dict(visualization=dict(_delete_=True, type="SegVisualizationHook"))
visualizer = dict(_delete_=True, type="SegLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
imagenet = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
small = dict(depth=18, base_channels=16, stem_channels=16, norm_eval=False, zero_init_residual=False)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(type="SegDataPreProcessor", size=(128, 128), seg_pad_val=255, **imagenet),
    backbone=dict(type="mmdet.ResNet", out_indices=(3,), strides=(1, 2, 1, 1), dilations=(1, 1, 1, 2), **small),
    decode_head=dict(type="FCNHead", in_channels=128, in_index=0, channels=64, num_convs=1, num_classes=5),
    test_cfg=dict(mode="whole"),
)
folders = dict(img_path="JPEGImages", seg_map_path="SegmentationClass")
data = dict(type="BaseSegDataset", data_root="data/sample_voc/VOCdevkit/VOC2012/", data_prefix=folders)
data["metainfo"] = dict(classes=("background", "Arrow", "Hourglass", "Arch", "Clover"))
load = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", imdecode_backend="pillow")]
change = [dict(type="RandomCrop", crop_size=(128, 128)), dict(type="RandomFlip", prob=0.5)]
train_data = dict(ann_file="ImageSets/Segmentation/train.txt", pipeline=[*load, *change, dict(type="PackSegInputs")])
val_data = dict(ann_file="ImageSets/Segmentation/val.txt", pipeline=[*load, dict(type="PackSegInputs")])
train_dataloader = dict(batch_size=16, num_workers=1, dataset=data | train_data)
train_dataloader["sampler"] = dict(type="DefaultSampler", shuffle=True)
val_dataloader = dict(num_workers=1, sampler=dict(type="DefaultSampler", shuffle=False), dataset=data | val_data)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type="IoUMetric")
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=2, val_interval=2)
val_cfg, test_cfg = dict(type="ValLoop"), dict(type="TestLoop")
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.002, weight_decay=0.01))
