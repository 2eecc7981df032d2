"""Proposal recall: how many objects the best proposals of an image find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def found_objects(boxes: np.ndarray, objects: np.ndarray, best: Sequence[int], iou_thr: float = 0.5) -> np.ndarray:
    """How many objects of one image are overlapped enough by one of its best proposals.

    Args:
        boxes: (n, 4) proposals, x1, y1, x2, y2, best first.
        objects: (g, 4) ground truth.
        best: K numbers of proposals to look at.
        iou_thr: Smallest IoU that counts as found.

    Returns:
        (K,) int64 found objects.

    Example:
        >>> found_objects([[0, 0, 9, 9], [20, 0, 30, 10]], [[20, 0, 30, 10]], best=[1, 2]).tolist()
        [0, 1]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 1, 4)
    objects = np.asarray(objects, np.float64).reshape(1, -1, 4)
    sides = np.minimum(boxes[..., 2:], objects[..., 2:]) - np.maximum(boxes[..., :2], objects[..., :2])
    overlap = sides.clip(0).prod(axis=2)
    areas = [(b[..., 2:] - b[..., :2]).prod(axis=2) for b in (boxes, objects)]
    iou = overlap / np.maximum(areas[0] + areas[1] - overlap, 1e-9)
    return np.array([(iou[:k].max(axis=0, initial=0) >= iou_thr).sum() for k in best], np.int64)
