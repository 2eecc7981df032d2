"""Soft and hard non-maximum suppression that computes only the detections an image may keep.

Boxes of different classes do not touch each other, so each class is a list of its own: no shifted coordinates, no
matrix of all pairs. The best of all lists is taken again and again, and only its own list is touched. Scores come out
in descending order, so the work ends with the last detection that is kept, however many boxes are left.
"""

from __future__ import annotations

import numpy as np

from mmdetpre.utils.numba_jit import compiled


def soft_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    sigma: float = 0.55,
    min_score: float = 1e-3,
    max_per_img: int | None = 200,
    class_agnostic: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian soft-NMS: each detection taken multiplies the scores of its class by ``exp(-iou**2 / sigma)``.

    Equals mmcv's ``soft_nms(method="gaussian", offset=0)`` of each class, the order of ties included; a single box
    below ``min_score``, which mmcv keeps, is dropped like any other.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, half-open, in pixels of one image.
        scores: (N,) scores from 0 to 1.
        labels: (N,) classes.
        sigma: Width of the Gaussian.
        min_score: Detections whose score falls below are removed.
        max_per_img: Detections kept, the best over all classes; those as good as the last one stay too. None: all.
        class_agnostic: Detections of other classes suppress as well.

    Returns:
        (K,) int64 positions of the detections kept, best first, and their (K,) float32 scores.

    Raises:
        ValueError: If the arrays do not fit each other or a setting is out of range.

    Source: N. Bodla et al., "Soft-NMS", 2017; sigma and limits of SNIPER.

    Example:
        >>> boxes = np.array([[100, 100, 200, 200], [110, 100, 210, 200], [300, 300, 400, 400]], dtype=np.float32)
        >>> keep, scores = soft_nms(boxes, np.array([0.9, 0.8, 0.5]), np.zeros(3))
        >>> keep.tolist(), [f"{score:.4f}" for score in scores]
        ([0, 2, 1], ['0.9000', '0.5000', '0.2369'])
    """
    if sigma <= 0:
        raise ValueError(f"sigma is {sigma}: the width of the Gaussian must be positive; SNIPER takes 0.55.")
    return _suppress(boxes, scores, labels, True, sigma, min_score, max_per_img, class_agnostic)


def hard_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    iou_threshold: float = 0.45,
    min_score: float = 0.0,
    max_per_img: int | None = 200,
    class_agnostic: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """NMS: of two boxes of a class that overlap by more than ``iou_threshold``, the better stays, the first on ties.

    Scores do not change. Boxes are half-open.

    Args:
        boxes: (n, 4) xyxy, pixels.
        scores: (n,) scores.
        labels: (n,) class indices.
        iou_threshold: Overlap from 0 to 1.
        min_score: Detections below it are dropped.
        max_per_img: Detections kept, the best over all classes; those as good as the last one stay too. None: all.
        class_agnostic: Boxes suppress each other across classes.

    Returns:
        (K,) int64 positions of the detections kept, best first, and their (K,) float32 scores.

    Raises:
        ValueError: If the arrays do not fit each other or a setting is out of range.

    Example:
        >>> boxes = np.array([[100, 100, 200, 200], [110, 100, 210, 200], [300, 300, 400, 400]], dtype=np.float32)
        >>> hard_nms(boxes, np.array([0.8, 0.9, 0.5]), np.zeros(3))[0].tolist()
        [1, 2]
    """
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold is {iou_threshold}: give an IoU from 0 to 1; usual is 0.45.")
    return _suppress(boxes, scores, labels, False, iou_threshold, min_score, max_per_img, class_agnostic)


def _suppress(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    gaussian: bool,
    parameter: float,
    min_score: float,
    max_per_img: int | None,
    class_agnostic: bool,
) -> tuple[np.ndarray, np.ndarray]:
    boxes, scores, labels = np.asarray(boxes, np.float32), np.asarray(scores, np.float32), np.asarray(labels)
    if boxes.shape != (len(scores), 4) or scores.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(
            f"boxes {boxes.shape}, scores {scores.shape} and labels {labels.shape} do not fit each other: expected"
            " (N, 4), (N,) and (N,)."
        )
    if max_per_img is not None and max_per_img < 1:
        raise ValueError(f"max_per_img is {max_per_img}: give a positive number, or None to keep all detections.")
    limit = len(scores) if max_per_img is None else min(max_per_img, len(scores))
    if class_agnostic:
        index = np.arange(len(scores))
        starts = np.array([0, len(scores)])
    else:
        index = np.argsort(labels, kind="stable")
        starts = np.concatenate([[0], np.flatnonzero(np.diff(labels[index])) + 1, [len(scores)]])
    parameters = np.float32(parameter), np.float32(min_score)
    return _take_best(boxes[index], scores[index], index, starts, gaussian, *parameters, limit)


@compiled
def _take_best(
    boxes: np.ndarray,
    scores: np.ndarray,
    index: np.ndarray,
    starts: np.ndarray,
    gaussian: bool,
    parameter: np.float32,
    min_score: np.float32,
    limit: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Greedy suppression of lists ``starts[g]`` to ``starts[g + 1]``; reorders its arguments, all float32 or int64.

    The swaps are those of mmcv's soft-NMS, for which of equal scores is taken depends on them.
    """
    groups = len(starts) - 1
    head, tail = starts[:-1].copy(), starts[1:].copy()
    best = head.copy()
    for g in range(groups):
        for k in range(head[g] + 1, tail[g]):
            if scores[k] > scores[best[g]]:
                best[g] = k
    taken = np.empty(len(scores), dtype=np.int64)
    kept = np.empty(len(scores), dtype=np.float32)
    count = 0
    while True:
        top, group = np.float32(-1), -1
        for g in range(groups):
            if head[g] < tail[g] and scores[best[g]] > top:
                top, group = scores[best[g]], g
        if group < 0 or top < min_score or (count >= limit and top < kept[limit - 1]):
            break
        i, end = head[group], tail[group]
        _swap(boxes, scores, index, i, best[group])
        taken[count], kept[count] = index[i], top
        count += 1
        area = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
        first = k = i + 1
        while k < end:
            width = min(boxes[i, 2], boxes[k, 2]) - max(boxes[i, 0], boxes[k, 0])
            height = min(boxes[i, 3], boxes[k, 3]) - max(boxes[i, 1], boxes[k, 1])
            removed = gaussian and scores[k] < min_score
            if width > 0 and height > 0:
                shared = width * height
                iou = shared / (area + (boxes[k, 2] - boxes[k, 0]) * (boxes[k, 3] - boxes[k, 1]) - shared)
                if gaussian:
                    scores[k] *= np.exp(-(iou * iou) / parameter)
                    removed = scores[k] < min_score
                else:
                    removed = iou > parameter
            if removed:
                end -= 1
                _swap(boxes, scores, index, k, end)
                continue
            if scores[k] > scores[first] or (not gaussian and scores[k] == scores[first] and index[k] < index[first]):
                first = k
            k += 1
        head[group], tail[group], best[group] = i + 1, end, first
    return taken[:count].copy(), kept[:count].copy()


@compiled
def _swap(boxes: np.ndarray, scores: np.ndarray, index: np.ndarray, a: int, b: int) -> None:
    for c in range(4):
        boxes[a, c], boxes[b, c] = boxes[b, c], boxes[a, c]
    scores[a], scores[b] = scores[b], scores[a]
    index[a], index[b] = index[b], index[a]
