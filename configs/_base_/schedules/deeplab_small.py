# deeplab_sample.py with a rate that does not wash out what a backbone has learned.
_base_ = "deeplab_sample.py"
optim_wrapper = dict(optimizer=dict(lr=0.0005))
