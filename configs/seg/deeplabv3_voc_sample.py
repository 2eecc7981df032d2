# DeepLabV3 on the synthetic sample in VOC's layout, fine-tuned from SNIPER on the synthetic OpenImages.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_openimages_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplabv3_voc_sample.py
_base_ = "deeplab_voc_sample.py"
model = dict(
    decode_head=dict(
        _delete_=True,
        type="ASPPHead",
        in_channels=128,
        in_index=0,
        channels=32,
        dilations=(1, 3, 6, 9),
        dropout_ratio=0.1,
        norm_cfg=dict(type="BN", requires_grad=True),
        num_classes=5,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, avg_non_ignore=True),
    ),
)
backbone_init = dict(name="openimages")
