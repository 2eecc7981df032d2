"""Ground truth and detections side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.plotting.boxes import draw_box, draw_tag
from mmdetpre.plotting.palette import class_color
from mmdetpre.plotting.style import shorten
from mmdetpre.utils.plain_text import one_line

_WHITE = (255, 255, 255)
_GROUND = 24
_GAP = 6
_HEAD = 36
_FEW, _MANY = 10, 30
_TAG = (90, 18)
"""Width and height that a tag takes, about, pixels."""


def draw_detections(
    image: np.ndarray,
    instances_gt: InstanceData | None,
    instances_pred: InstanceData | None,
    classes: Sequence[str],
    score_thr: float = 0.3,
    *,
    min_width: int = 480,
    title: str = "",
) -> np.ndarray:
    """One picture: ground truth on the left (thin, white), detections on the right (class colour, score).

    The more detections, the thinner their lines; of more than ten only those with the highest scores whose tags cover
    no other are labelled.

    Args:
        image: (h, w, 3) uint8 RGB.
        instances_gt: mmengine ``InstanceData`` with ``bboxes`` (n, 4) and ``labels`` (n,), tensors or arrays, boxes in
            pixels of ``image``; or None, then the left half is left out.
        instances_pred: The same with ``scores`` (n,); or None for no detections.
        classes: Class names.
        score_thr: Detections below this score are not drawn.
        min_width: Smaller images are enlarged to this width, so that the texts can be read, pixels.
        title: Such as the name of the file, in a line above; empty: there is none.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> from mmengine.structures import InstanceData
        >>> truth = InstanceData(bboxes=np.array([[8, 8, 30, 30.0]]), labels=np.array([0]))
        >>> found = InstanceData(bboxes=np.array([[9, 8, 31, 30.0]]), labels=np.array([0]), scores=np.array([0.9]))
        >>> draw_detections(np.zeros((48, 64, 3), np.uint8), truth, found, ["cat"], min_width=64).shape
        (48, 134, 3)
    """
    enlarge = max(1.0, min_width / image.shape[1])
    ground = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    right = ground.copy()
    if instances_pred is not None:
        scores = _array(instances_pred.scores)
        boxes, labels = _array(_boxes(instances_pred)) * enlarge, _array(instances_pred.labels)
        shown = np.flatnonzero(scores >= score_thr)
        shown = shown[np.argsort(scores[shown])]  # the highest-scoring on top
        thickness = 3 if len(shown) <= _FEW else 2 if len(shown) <= _MANY else 1
        for i in shown:
            draw_box(right, boxes[i], class_color(int(labels[i])), thickness)
        tagged = _apart(boxes[shown]) if len(shown) > _FEW else np.ones(len(shown), bool)
        for i in shown[tagged]:
            color = class_color(int(labels[i]))
            draw_tag(right, f"{classes[int(labels[i])]} {scores[i]:.2f}", boxes[i, :2], color)
    if instances_gt is None:
        return _titled(right, title)
    left = ground
    boxes, labels = _array(_boxes(instances_gt)) * enlarge, _array(instances_gt.labels)
    for box, label in zip(boxes, labels, strict=True):
        draw_box(left, box, _WHITE, 2)
        draw_tag(left, classes[int(label)], box[:2], _WHITE)
    gap = np.full((left.shape[0], _GAP, 3), _GROUND, np.uint8)
    return _titled(np.hstack([left, gap, right]), title)


def _apart(boxes: np.ndarray) -> np.ndarray:
    """(n,) bool: boxes whose tags are drawn: from the last one back, those whose tag covers no tag drawn already."""
    drawn: list[np.ndarray] = []
    kept = np.zeros(len(boxes), bool)
    for i in range(len(boxes) - 1, -1, -1):
        if len(drawn) == _FEW:
            break
        corner = boxes[i, :2]
        if not any((np.abs(corner - other) < _TAG).all() for other in drawn):
            kept[i] = True
            drawn.append(corner)
    return kept


def _titled(picture: np.ndarray, title: str) -> np.ndarray:
    if not title:
        return picture
    head = np.full((_HEAD, picture.shape[1], 3), _GROUND, np.uint8)
    (width, _), _ = cv2.getTextSize("m", cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    text = shorten(one_line(title), max(8, (picture.shape[1] - 2 * _GAP) // width * 3 // 2), 12)
    cv2.putText(head, text, (_GAP + 2, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA)
    return np.vstack([head, picture])


def detection_grid(pictures: Sequence[np.ndarray], columns: int = 2, score_thr: float | None = None) -> np.ndarray:
    """Pictures of :func:`draw_detections` in a grid under a line that says what is seen.

    Args:
        pictures: (h, w, 3) uint8 RGB of any size; smaller ones are centred in their cell.
        columns: Number of columns, at least 1.
        score_thr: Threshold the detections were drawn with, for the headline.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: If there is no picture.
    """
    if not pictures:
        raise ValueError("No pictures to put into a grid: give at least one.")
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    width = max(p.shape[1] for p in pictures) + 2 * _GAP
    lines = [pictures[row * columns : (row + 1) * columns] for row in range(rows)]
    heights = [max(p.shape[0] for p in line) + 2 * _GAP for line in lines]
    grid = np.full((_HEAD + sum(heights), columns * width, 3), _GROUND, np.uint8)
    top = _HEAD
    for line, height in zip(lines, heights, strict=True):
        for column, picture in enumerate(line):
            h, w = picture.shape[:2]
            y, x = top + (height - h) // 2, column * width + (width - w) // 2
            grid[y : y + h, x : x + w] = picture
        top += height
    threshold = "" if score_thr is None else f" (score >= {score_thr:g})"
    text = f"left: ground truth    right: detections{threshold}"
    cv2.putText(grid, text, (_GAP + 4, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (235, 235, 235), 1, cv2.LINE_AA)
    return grid


def _boxes(instances: InstanceData) -> Tensor | np.ndarray:
    boxes = instances.bboxes
    return getattr(boxes, "tensor", boxes)  # mmdet wraps ground-truth boxes


def _array(values: Tensor | np.ndarray) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
