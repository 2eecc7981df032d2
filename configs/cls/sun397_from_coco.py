# Classification of SUN-397, fine-tuned from SNIPER on COCO (sniper_coco.py).
#   mim train mmpretrain configs/cls/sun397_from_coco.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "COCO": 57.8 top-1.
_base_ = ["sun397.py", "../_base_/starts/coco.py"]
