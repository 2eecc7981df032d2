"""Cut the mask of one object to a chip."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mmdetpre.datasets.images.decoding import jpeg_reduction
from mmdetpre.datasets.transforms.cut_chip import reduce_image


def cut_mask(mask: np.ndarray, chip: tuple[int, int, int, int], scale_factor: float) -> np.ndarray:
    """The part of a mask that a chip shows, where `cut_chip` puts the pixels of the image.

    The mask is resized as the image is, from means of its pixels where it becomes much smaller; what is at least half
    covered belongs to the object.

    Args:
        mask: (h, w) bool, of the whole image.
        chip: x, y, width, height in pixels of the scaled image.
        scale_factor: Scaled over original size.

    Returns:
        (height, width) uint8, 0 or 1.

    Example:
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[2:4, 3:6] = True
        >>> cut_mask(mask, (2, 1, 4, 3), 1.0).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1]]
    """
    x, y, width, height = chip
    cover, reduction = reduce_image(mask.astype(np.uint8) * np.uint8(255), 1, jpeg_reduction(scale_factor))
    step = 1 / (scale_factor * reduction)  # pixels of `cover` per chip pixel
    left, top = (max(math.floor(start * step) - 1, 0) for start in (x, y))
    cover = cover[top : math.ceil((y + height) * step) + 1, left : math.ceil((x + width) * step) + 1]
    inverse = np.array([[step, 0, (x + 0.5) * step - 0.5 - left], [0, step, (y + 0.5) * step - 0.5 - top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(cover, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return (cut >= 128).astype(np.uint8)
