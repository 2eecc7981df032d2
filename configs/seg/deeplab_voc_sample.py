# DeepLab on the synthetic sample in VOC's layout, from scratch or, by one key, from a pre-training of the sample:
#   --cfg-options backbone_init=coco (or imagenet_cls, imagenet_loc, openimages; then with a --work-dir of its own)
# 2 cores: 40 steps, 25 s with start and validation; mIoU 54.
#   python tools/misc/make_sample.py --layout voc
#   mim train mmsegmentation configs/seg/deeplab_voc_sample.py
_base_ = [
    "../_base_/models/deeplab_r18_sample.py",
    "../_base_/datasets/voc_seg_sample.py",
    "../_base_/init/sample.py",
    "../_base_/runtime_mmseg.py",
    "../_base_/schedules/deeplab_sample.py",
]
