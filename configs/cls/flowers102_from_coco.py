# Classification of Oxford-102 Flowers, fine-tuned from SNIPER on COCO (sniper_coco.py).
#   mim train mmpretrain configs/cls/flowers102_from_coco.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "COCO": 91.4 top-1.
_base_ = ["flowers102.py", "../_base_/starts/coco.py"]
