# The backbone starts from ImageNet classification: torchvision's ResNet-101. One line in `_base_` of a det, seg or cls
# config over runtime.py, whose LoadBackboneHook reads it. Another file: --cfg-options backbone_start.checkpoint=FILE;
# from scratch: backbone_start = dict(checkpoint=None).
backbone_start = dict(checkpoint="torchvision://resnet101")
