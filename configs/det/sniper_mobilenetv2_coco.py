# SNIPER on COCO with MobileNetV2 instead of ResNet-101, from ImageNet classification:
#   mim train mmdet configs/det/sniper_mobilenetv2_coco.py --gpus 8 --launcher pytorch
# As in the original repository: 34.3 AP on test-dev (54.4 at IoU 0.5). What that one freezes and where its map of
# stride 16 comes from is not said there; here stages are frozen as in sniper_coco.py, and the last map is resized.
# Time, memory and result: not run here (no full data set). Not in the paper: no row. In float32 on GPUs too: of random
# weights, gradients in bfloat16 point elsewhere (cosine 0.47 on a CPU; 0.9 and more for the other backbones).
_base_ = "sniper_coco.py"
model = dict(backbone=dict(name="mobilenet_v2"))
gpu = dict(bfloat16=False)
