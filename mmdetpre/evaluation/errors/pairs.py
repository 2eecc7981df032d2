"""Which detections touch which objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REGION_SHARE = 0.5
"""Share of a detection's own area from which on it lies in a region, as in COCO's and OpenImages' evaluation."""


class OverlappingPairs(NamedTuple):
    """Pairs of a detection and an object of the same image that overlap enough, whatever their classes.

    Attributes:
        detection: (p,) int64 rows of the detections.
        object: (p,) int64 rows of the objects.
        iou: (p,) float64.
        inside: (p,) float64, share of the detection's own area that lies in the object's box.
    """

    detection: np.ndarray
    object: np.ndarray
    iou: np.ndarray
    inside: np.ndarray


def overlapping_pairs(
    detection_image: np.ndarray,
    detection_boxes: np.ndarray,
    object_image: np.ndarray,
    object_boxes: np.ndarray,
    *,
    object_region: np.ndarray | None = None,
    min_iou: float = 0.1,
) -> OverlappingPairs:
    """Find the pairs with an IoU of at least ``min_iou``, and the detections that lie in a region.

    Boxes are half-open; where x2 and y2 name the last pixel inside, give those of
    :meth:`~mmdetpre.evaluation.detections.detections.Detections.half_open`.

    Args:
        detection_image: (n,) index of the image of each detection, in any order.
        detection_boxes: (n, 4) x1, y1, x2, y2 in pixels, half-open.
        object_image: (m,) index of the image of each object, in any order.
        object_boxes: (m, 4) likewise.
        object_region: (m,) bool, boxes around several objects (crowd, group-of): with these a detection also forms a
            pair if at least ``REGION_SHARE`` of its own area lies inside, however small their IoU. ``None``: none.
        min_iou: Above 0.

    Raises:
        ValueError: If ``min_iou`` is not in (0, 1].

    Example:
        >>> overlapping_pairs([0, 0], [[0, 0, 10, 10], [50, 50, 60, 60]], [0], [[0, 0, 10, 5]])
        OverlappingPairs(detection=array([0]), object=array([0]), iou=array([0.5]), inside=array([0.5]))
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou is {min_iou}: give a number above 0 and at most 1, such as 0.1.")
    detection_boxes = np.asarray(detection_boxes, np.float64).reshape(-1, 4)
    object_boxes = np.asarray(object_boxes, np.float64).reshape(-1, 4)
    is_region = np.zeros(len(object_boxes), bool) if object_region is None else np.asarray(object_region, bool)
    detection_rows = rows_per_value(detection_image)
    pairs = []
    for image, objects in rows_per_value(object_image).items():
        detections = detection_rows.get(image)
        if detections is None:
            continue
        iou, inside = overlaps(detection_boxes[detections], object_boxes[objects])
        i, k = np.nonzero((iou >= min_iou) | (is_region[objects] & (inside >= REGION_SHARE)))
        pairs.append((detections[i], objects[k], iou[i, k], inside[i, k]))
    if not pairs:
        return OverlappingPairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return OverlappingPairs(*(np.concatenate(column) for column in zip(*pairs, strict=True)))


def overlaps(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much each box of one set overlaps each of another.

    Args:
        a: (n, 4) x1, y1, x2, y2, half-open.
        b: (m, 4) likewise.

    Returns:
        Two (n, m) float64: IoU, and the share of the area of a box of ``a`` that is shared; 0 for boxes without area.

    Example:
        >>> iou, inside = overlaps([[0, 0, 10, 10]], [[0, 0, 10, 5]])
        >>> iou.tolist(), inside.tolist()
        ([[0.5]], [[0.5]])
    """
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (a, b))
    corner1 = np.maximum(a[:, None, :2], b[None, :, :2])
    corner2 = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(corner2 - corner1, 0, None).prod(axis=2)
    area_a, area_b = (np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None, :] - shared
    own = np.broadcast_to(area_a[:, None], shared.shape)
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou, np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def rows_per_value(column: np.ndarray) -> dict[int, np.ndarray]:
    """The rows that hold each value of an integer column, such as the boxes of each image; rising, like the values."""
    column = np.asarray(column, np.int64).reshape(-1)
    if not len(column):
        return {}
    order = np.argsort(column, kind="stable")
    values, starts = np.unique(column[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))
