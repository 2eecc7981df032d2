# R-FCN-3000: SNIPER pre-training on ImageNet's 3,130 classes with boxes (Fall 2011), one scale, longest side 512;
# tested on the 200 classes of ILSVRC-DET, to which det_class_map.txt maps the 3,130 by WordNet id.
#   mim train mmdet configs/det/sniper_imagenet_loc.py --gpus 8 --launcher pytorch
# Without that file: class_map=None of the validation data and is_a_file=".../wordnet.is_a.txt" of val_evaluator.
# More super-classes than one: tools/analysis_tools/cluster_classes.py, then roi_head's super_classes and classes.
# Hardware of the original: 1 GPU x 16 chips. Time, memory and result: not run here (no full data set, no GPU).
# Paper: 37.4 mAP on ILSVRC-DET, and the "ImageNet-LOC" rows of Tables 2, 4 and 5.
_base_ = [
    "../_base_/models/rfcn3000_r101_dcn.py",
    "../_base_/datasets/imagenet_loc_chips.py",
    "../_base_/schedules/sniper_14e.py",
    "../_base_/init/full_size.py",
    "../_base_/runtime.py",
]
