"""The operators that detectors need, with or without a compiled mmcv.

``torchvision_ops.py`` is a stand-in for mmcv's binary module over the kernels of torchvision's wheels, ``stand_in.py``
puts it in place where mmcv was installed without its binary (``mmcv-lite``), ``deform_conv.py`` is the deformable
convolution of `mmdetpre.DCN`.
"""
