# SNIPER on COCO with deformable RoI pooling: 7x7 bins, moved by offsets that are learned from a first pooling.
#   mim train mmdet configs/det/sniper_coco_deform_roi.py --gpus 8 --launcher pytorch
# As the original repository; the paper's text and sniper_coco.py have 14x14 RoIAlign. Time, memory and result: not run
# here. Paper: the "COCO" rows of Tables 2 and 5, with the pooling of the original.
_base_ = "sniper_coco.py"
model = dict(
    roi_head=dict(
        bbox_roi_extractor=dict(
            _delete_=True,
            type="mmdetpre.DeformRoIExtractor",
            roi_layer=dict(output_size=7, sampling_ratio=4, gamma=0.1),
            out_channels=256,
            featmap_strides=[16],
        ),
        bbox_head=dict(roi_feat_size=7),
    )
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={"offset_fc": dict(lr_mult=0.01), "offset_fc.bias": dict(lr_mult=0.01, decay_mult=0.0)}
    )
)
