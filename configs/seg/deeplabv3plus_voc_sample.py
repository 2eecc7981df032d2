# DeepLabV3+ on the synthetic sample in VOC's layout, fine-tuned from SNIPER on the synthetic OpenImages.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmdet configs/det/sniper_openimages_sample.py   # its header: its data
#   mim train mmsegmentation configs/seg/deeplabv3plus_voc_sample.py
_base_ = "deeplabv3_voc_sample.py"
model = dict(
    backbone=dict(out_indices=(0, 3)),
    decode_head=dict(type="DepthwiseSeparableASPPHead", in_index=1, c1_in_channels=16, c1_channels=16),
)
