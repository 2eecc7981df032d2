"""Confusion of classes by region, in one pass over an image."""

from __future__ import annotations

import numpy as np

from mmdetpre.datasets.label_maps.files import wrong_values
from mmdetpre.utils.numba_jit import compiled


def confusion_by_region(
    truth: np.ndarray, prediction: np.ndarray, region: np.ndarray, *, regions: int, classes: int, ignore_index: int
) -> np.ndarray:
    """Pixels by region, true class and predicted class; void pixels are not counted.

    Args:
        truth: (h, w) int64 label map.
        prediction: (h, w) int64 label map.
        region: (h, w) index of each pixel's region.
        regions: Number of regions.
        classes: Number of classes.
        ignore_index: Label of void pixels.

    Returns:
        (regions, classes, classes) int64, [region, truth, prediction].

    Raises:
        ValueError: If a label is not a class.

    Example:
        >>> maps = (np.array([[0, 1, 255]]), np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
        >>> confusion_by_region(*maps, regions=2, classes=2, ignore_index=255).tolist()
        [[[0, 1], [0, 0]], [[0, 0], [0, 1]]]
    """
    table = np.zeros((regions, classes, classes), np.int64)
    if not _count(truth, prediction, region, ignore_index, table):
        raise ValueError(wrong_values(truth, prediction, classes, ignore_index))
    return table


@compiled
def _count(truth: np.ndarray, prediction: np.ndarray, region: np.ndarray, ignore_index: int, table: np.ndarray) -> bool:
    """Count into ``table``; False if a value is not a class."""
    classes = table.shape[1]
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            label, found = truth[y, x], prediction[y, x]
            if found < 0 or found >= classes:
                return False
            if label == ignore_index:
                continue
            if label < 0 or label >= classes:
                return False
            table[region[y, x], label, found] += 1
    return True
