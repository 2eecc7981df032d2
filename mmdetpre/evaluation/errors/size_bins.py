"""Objects of a class by how large and how wide they are compared with the others of the class."""

from __future__ import annotations

import numpy as np

SIZE_NAMES = ("XS", "S", "M", "L", "XL")
ASPECT_NAMES = ("XT", "T", "M", "W", "XW")
"""Extra tall, tall, medium, wide, extra wide."""
BIN_ENDS = (0.1, 0.3, 0.7, 0.9)
"""Share of a class's objects below the second to the fifth bin: 10, 20, 40, 20 and 10 % of the objects."""


def size_bins(boxes: np.ndarray, label: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bins by area within each class.

    Args:
        boxes: (m, 4) x1, y1, x2, y2 in pixels, half-open.
        label: (m,) class indices.
        counts: (m,) bool, the objects that are judged; the others get no bin.

    Returns:
        (m,) int64 indices into ``SIZE_NAMES``, -1 for no bin. Equal objects share a bin. Source: Hoiem et al. 2012,
        section 3.

    Example:
        >>> boxes = [[0, 0, side, side] for side in range(1, 11)]
        >>> size_bins(boxes, [0] * 10, [True] * 10).tolist()
        [0, 1, 1, 2, 2, 2, 2, 3, 3, 4]
    """
    width, height = _sides(boxes)
    return _bins(width * height, label, counts)


def aspect_bins(boxes: np.ndarray, label: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bins by width / height within each class, as :func:`size_bins`; indices into ``ASPECT_NAMES``.

    Args:
        boxes: (m, 4) xyxy in image pixels.
        label: (m,) class indices.
        counts: (m,) bool, objects that are not ignored.

    Example:
        >>> aspect_bins([[0, 0, 10, 30], [0, 0, 10, 10], [0, 0, 30, 10]], [0, 0, 0], [True] * 3).tolist()
        [1, 2, 3]
    """
    width, height = _sides(boxes)
    aspect = np.divide(width, height, out=np.zeros_like(width), where=height > 0)
    return _bins(aspect, label, counts)


def _sides(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]


def _bins(value: np.ndarray, label: np.ndarray, counts: np.ndarray) -> np.ndarray:
    label, counts = np.asarray(label), np.asarray(counts, bool)
    bins = np.full(len(value), -1, np.int64)
    for c in np.unique(label[counts]):
        rows = np.flatnonzero(counts & (label == c))
        ordered = np.sort(value[rows])
        below, up_to = (np.searchsorted(ordered, value[rows], side=side) for side in ("left", "right"))
        bins[rows] = np.searchsorted(BIN_ENDS, (below + up_to) / (2 * len(rows)), side="right")
    return bins
