"""Box sizes: the one number per box that valid ranges are about."""

from __future__ import annotations

import numpy as np

from mmdetpre.chips.annotation_arrays import AnnotationArrays

_IMAGES_AT_ONCE = 65536


def box_sizes(annotations: AnnotationArrays) -> np.ndarray:
    """``sqrt(width * height)`` of every box, clipped to its image.

    Returns:
        (M,) float32 pixels; 0 for boxes that take no part in mining: a side below 1 pixel, or ignored.
    """
    result = np.zeros(len(annotations.boxes), dtype=np.float32)
    for start in range(0, annotations.image_count, _IMAGES_AT_ONCE):
        part = annotations.images(start, min(start + _IMAGES_AT_ONCE, annotations.image_count))
        first = int(annotations.box_offsets[start])
        extent = np.repeat(part.sizes, np.diff(part.offsets), axis=0).astype(np.float64)
        sides = np.clip(part.boxes[:, 2:], 0, extent) - np.clip(part.boxes[:, :2], 0, extent)
        usable = (sides >= 1).all(axis=1) & ~part.ignore
        result[first : first + len(sides)] = np.where(usable, np.sqrt(np.maximum(sides, 0).prod(axis=1)), 0)
    return result
