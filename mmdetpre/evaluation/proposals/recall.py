"""Proposal recall: how many objects the best proposals of an image find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmdetpre.evaluation.errors.pairs import overlaps


def count_recalled(boxes: np.ndarray, objects: np.ndarray, best: Sequence[int], iou_thr: float = 0.5) -> np.ndarray:
    """How many objects of one image are overlapped enough by one of its best proposals.

    Args:
        boxes: (n, 4) proposals, x1, y1, x2, y2, best first.
        objects: (g, 4) ground truth.
        best: K numbers of proposals to look at.
        iou_thr: Smallest IoU that counts as found.

    Returns:
        (K,) int64 found objects.

    Example:
        >>> count_recalled([[0, 0, 9, 9], [20, 0, 30, 10]], [[20, 0, 30, 10]], best=[1, 2]).tolist()
        [0, 1]
    """
    iou, _ = overlaps(boxes, objects)
    return np.array([(iou[:k].max(axis=0, initial=0) >= iou_thr).sum() for k in best], np.int64)
