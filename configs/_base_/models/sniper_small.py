# The heads of sniper_r18_sample.py on chips of 256 pixels: SNIPER for photos on a machine without a GPU. Its ResNet-18
# gives way to the backbone of the study, model.backbone.name.
_base_ = "sniper_r18_sample.py"
chip_size = 256
model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type="BatchFixedSizePad", size=(chip_size, chip_size), pad_mask=False)]
    ),
    rpn_head=dict(anchor_generator=dict(scales=[1.5, 3, 6, 12, 24])),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(output_size=7)),
        bbox_head=dict(roi_feat_size=7),
    ),
    train_cfg=dict(rpn=dict(min_gt_side=8), rcnn=dict(min_gt_side=8)),
)
