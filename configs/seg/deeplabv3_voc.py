# DeepLabV3 on PASCAL VOC 2012 with SBD, fine-tuned from SNIPER on OpenImages (sniper_openimages.py).
# Another initialization: --cfg-options backbone_init=coco, or backbone_init.checkpoint=FILE.
#   mim train mmsegmentation configs/seg/deeplabv3_voc.py --gpus 8 --launcher pytorch
# Hardware: 8 GPUs x 2 images, for the branch that pools whole images normalizes one value per image and channel.
# Time, memory and result: not run here (no full data set).
# Paper: no row. Does what detection pre-training gives remain with a stronger head?
_base_ = [
    "../_base_/models/deeplabv3_r101_dcn.py",
    "../_base_/datasets/voc_seg.py",
    "../_base_/init/full_size_seg.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_30k.py",
]
train_dataloader = dict(batch_size=2)
backbone_init = dict(name="openimages")
