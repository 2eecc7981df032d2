# Classification of Caltech-256, fine-tuned from SNIPER on COCO (sniper_coco.py).
#   mim train mmpretrain configs/cls/caltech256_from_coco.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "COCO": 79.8 top-1.
_base_ = ["caltech256.py", "../_base_/starts/coco.py"]
