# The backbone starts from SNIPER on OpenImages: what the training of
# sniper_openimages.py leaves. One line in `_base_`, as imagenet_cls.py says.
# The paper re-initialises the heads when it fine-tunes; the original's code also the offsets of the deformable
# convolutions, and so does reset_offsets. A backbone that is not trained on, as in a linear probe, needs them: False.
backbone_start = dict(checkpoint="work_dirs/sniper_openimages/backbone_final.pth", reset_offsets=True)
