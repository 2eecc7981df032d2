# Classification of Oxford-102 Flowers, fine-tuned from SNIPER on OpenImages (sniper_openimages.py).
#   mim train mmpretrain configs/cls/flowers102_from_openimages.py
# Hardware: 1 GPU x 64 images. Time, memory and result: not run here (no full data set, no GPU).
# Paper: Table 5, row "OpenImagesV4": 92.6 top-1.
_base_ = ["flowers102.py", "../_base_/starts/openimages.py"]
