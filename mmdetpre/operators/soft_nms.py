"""The loop of soft-NMS as mmcv runs it, ties included; `mmdetpre.models.nms` has the faster one of our own."""

from __future__ import annotations

import numpy as np

from mmdetpre.utils.numba_jit import compiled


@compiled
def soft_nms(
    rows: np.ndarray, iou_threshold: np.float32, sigma: np.float32, min_score: np.float32, method: int, offset: int
) -> np.ndarray:
    """Sorts rows of boxes and scores in place, those kept first, with their new scores; returns where they stood.

    Args:
        rows: (N, 5) float32 x1, y1, x2, y2, score.
        iou_threshold: Of the methods 0 (naive: the score becomes 0) and 1 (linear: it is multiplied by 1 - IoU).
        sigma: Width of the Gaussian of method 2.
        min_score: A box whose score falls below is removed.
        method: 0, 1 or 2.
        offset: 1 if the last pixel belongs to a box, else 0.
    """
    count = len(rows)
    index = np.arange(count)
    areas = (rows[:, 2] - rows[:, 0] + offset) * (rows[:, 3] - rows[:, 1] + offset)
    i = 0
    while i < count:
        best = i
        for k in range(i + 1, count):
            if rows[k, 4] > rows[best, 4]:
                best = k
        _swap(rows, areas, index, i, best)
        k = i + 1
        while k < count:
            width = min(rows[i, 2], rows[k, 2]) - max(rows[i, 0], rows[k, 0]) + offset
            height = min(rows[i, 3], rows[k, 3]) - max(rows[i, 1], rows[k, 1]) + offset
            shared = max(0.0, width) * max(0.0, height)
            iou = np.float32(shared / (areas[i] + areas[k] - shared))
            if method == 2:
                rows[k, 4] *= np.exp(-(iou * iou) / sigma)
            elif iou >= iou_threshold:
                rows[k, 4] *= np.float32(0) if method == 0 else np.float32(1) - iou
            if rows[k, 4] < min_score:
                count -= 1
                _swap(rows, areas, index, k, count)
            else:
                k += 1
        i += 1
    return index[:count]


@compiled
def _swap(rows: np.ndarray, areas: np.ndarray, index: np.ndarray, a: int, b: int) -> None:
    for c in range(5):
        rows[a, c], rows[b, c] = rows[b, c], rows[a, c]
    areas[a], areas[b] = areas[b], areas[a]
    index[a], index[b] = index[b], index[a]
