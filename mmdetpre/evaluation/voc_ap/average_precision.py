"""Average precision in the manner of PASCAL VOC, at many IoU thresholds in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mmdetpre.evaluation.detections.detections import Detections

FIGURE_1_IOUS = tuple(i / 10 for i in range(1, 10))
"""0.1 to 0.9, as in Figure 1 of "An Analysis of Pre-Training on Object Detection"."""
MODES = ("11points", "area")


@dataclass(frozen=True, eq=False)
class VOCResult:
    """AP of C classes at T IoU thresholds.

    Attributes:
        classes: C class names.
        iou_thrs: T thresholds.
        ap: (C, T) float32; nan for a class without any box that counts.
        recall: (C, T) float64, what all detections together find; nan likewise.
        objects: (C,) boxes that count (those to be ignored do not).
        detections: (C,) detections.
        mode: "11points" or "area".
        plus_one: Whether widths were taken as ``x2 - x1 + 1``.
    """

    classes: tuple[str, ...]
    iou_thrs: tuple[float, ...]
    ap: np.ndarray
    recall: np.ndarray
    objects: np.ndarray
    detections: np.ndarray
    mode: str
    plus_one: bool

    @property
    def mean_ap(self) -> np.ndarray:
        """(T,) float32, mean AP per threshold over the classes that have boxes."""
        rows = self.ap[self.objects > 0]
        return np.array([column.copy().mean() for column in rows.T], np.float32)  # summed in the order of mmdet


def voc_average_precision(
    run: Detections,
    iou_thrs: Sequence[float] = FIGURE_1_IOUS,
    *,
    mode: str = "11points",
    plus_one: bool | None = None,
) -> VOCResult:
    """AP of every class at every threshold, from one matching of detections and boxes.

    The rules of VOC: detections come by descending score; each looks at the box of its class with which it overlaps
    most, and no other. At ``IoU >= threshold`` it is a hit if it is the first to claim that box, does not count at all
    if the box is to be ignored (difficult), and is false otherwise. Which box that is does not depend on the threshold,
    so all thresholds share the overlaps and both sortings.

    As in mmdet, ignored boxes of every kind are compared by IoU: a crowd or group-of box excuses only detections with
    ``IoU >= threshold`` that overlap no box of their class more. A single person found inside the box of a crowd is
    thus false here, unlike in COCO's and OpenImages' evaluation and in :mod:`~mmdetpre.evaluation.errors.analyse`.
    VOC itself has difficult boxes alone.

    The result equals that of ``eval_map`` of mmdet 3.3 in every
    bit, ties between scores included, when ``plus_one`` is what ``use_legacy_coordinate`` is there.

    Args:
        run: Detections with ground truth.
        iou_thrs: T thresholds in (0, 1]; compared in float32, as the overlaps are.
        mode: "11points", the metric of VOC 2007 (mean precision at recalls 0, 0.1, ..., 1), or "area", that of
            VOC 2010 and later (area under the interpolated curve).
        plus_one: Sides are ``x2 - x1 + 1``: x2 and y2 name the last pixel inside, as in VOC's own files and in
            ``mmdet.VOCDataset``; ``False`` for half-open boxes; ``None``: as the run says.

    Raises:
        ValueError: If there is no ground truth, none of its boxes counts, or an argument is invalid.

    Source: Everingham et al., "The PASCAL Visual Object Classes Challenge"; Figure 1 of the paper.

    Example:
        >>> from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
        >>> truth = GroundTruth([0], [[0, 0, 9, 9]], [0], [False])
        >>> run = Detections(("cat",), ("a",), [0], [[0, 0, 9, 5]], [0.9], [0], truth=truth, plus_one=True)
        >>> voc_average_precision(run, [0.5, 0.6, 0.7], mode="area").ap.tolist()
        [[1.0, 1.0, 0.0]]
    """
    thresholds = check_iou_thrs(iou_thrs)
    plus_one = run.plus_one if plus_one is None else plus_one
    count = len(run.classes)
    ap = np.full((count, len(thresholds)), np.nan, np.float32)
    recall = np.full((count, len(thresholds)), np.nan)
    objects = np.zeros(count, np.int64)
    for label, one in judged_classes(run, thresholds, mode, plus_one):
        # mmdet's types: float32 counts, recall in float64, precision in float32
        hits = np.cumsum(one.hit, axis=1).astype(np.float32)
        found = hits + np.cumsum(one.false, axis=1).astype(np.float32)
        objects[label] = len(one.objects)
        recalls = hits.astype(np.float64) / objects[label]
        precisions = hits / np.maximum(found, np.finfo(np.float32).eps)
        ap[label] = _eleven_points(recalls, precisions) if mode == "11points" else area_under_curve(recalls, precisions)
        recall[label] = recalls[:, -1] if hits.size else 0
    return VOCResult(
        classes=run.classes,
        iou_thrs=tuple(map(float, thresholds)),
        ap=ap,
        recall=recall,
        objects=objects,
        detections=np.bincount(run.labels, minlength=count),
        mode=mode,
        plus_one=plus_one,
    )


class JudgedClass(NamedTuple):
    """The n detections of one class by descending score, and its boxes that count.

    Attributes:
        hit, false: (T, n) bool: hits at each threshold, and false ones; others do not count.
        image: (n,) image of each detection.
        objects: (g,) image of each box that counts.
    """

    hit: np.ndarray
    false: np.ndarray
    image: np.ndarray
    objects: np.ndarray


def judged_classes(
    run: Detections,
    thresholds: Sequence[float],
    mode: str,
    plus_one: bool,
    areas: tuple[float, float] | None = None,
) -> Iterator[tuple[int, JudgedClass]]:
    """The classes with boxes that count, by their label, with what becomes of their detections.

    Args:
        run, thresholds, mode, plus_one: As for `voc_average_precision`, which has the rules and the errors.
        areas: Objects of other areas in pixels are ignored, and so are detections of other areas that match nothing;
            None: all areas count.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}: choose 'area' or '11points'.")
    truth = run.ground_truth()
    if areas is not None:
        truth = replace(truth, ignore=truth.ignore | ~areas_within(truth.boxes, areas, plus_one))
    if truth.ignore.all():
        what = "has no box" if not len(truth) else f"has {len(truth)} boxes, all of which are to be ignored"
        raise ValueError(f"The ground truth {what}: there is nothing to evaluate. Check the annotations of this split.")
    count = len(run.classes)
    by_class = _grouped(run.labels, count)
    truth_by_class = _grouped(np.where(truth.ignore, count, 0) + truth.labels, 2 * count)
    for label in range(count):
        kept, ignored = truth_by_class[label], truth_by_class[label + count]
        if not len(kept):
            continue
        objects = _Objects.by_image(truth.image, truth.boxes, kept, ignored)
        rows = by_class[label]
        hit, false = _hits(run.image[rows], run.boxes[rows], run.scores[rows], objects, thresholds, plus_one)
        if areas is not None:
            false &= areas_within(run.boxes[rows], areas, plus_one)
        order = np.argsort(-run.scores[rows])  # numpy's default sort: ties fall as in mmdet
        yield label, JudgedClass(hit[:, order], false[:, order], run.image[rows][order], truth.image[kept])


def check_iou_thrs(iou_thrs: Sequence[float]) -> tuple[float, ...]:
    """The thresholds as a tuple.

    Raises:
        ValueError: If there is none, one is outside (0, 1], or they do not rise.
    """
    thresholds = tuple(map(float, iou_thrs))
    if not thresholds or not all(low < high for low, high in pairwise((0.0, *thresholds))) or not thresholds[-1] <= 1:
        raise ValueError(f"iou_thrs is {list(thresholds)}: give rising IoU thresholds above 0 and up to 1.")
    return thresholds


class _Objects(NamedTuple):
    """The boxes of one class, by image, in each image those that count first."""

    image: np.ndarray
    boxes: np.ndarray
    ignored: np.ndarray  # bool

    @classmethod
    def by_image(cls, image: np.ndarray, boxes: np.ndarray, kept: np.ndarray, ignored: np.ndarray) -> _Objects:
        rows = np.concatenate([kept, ignored])
        flags = np.repeat([False, True], [len(kept), len(ignored)])
        order = np.argsort(image[rows], kind="stable")
        return cls(image[rows][order], boxes[rows][order], flags[order])


def _hits(
    image: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    objects: _Objects,
    thresholds: Sequence[float],
    plus_one: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Two (T, n) bool arrays: which of the n detections of a class are hits, which are false."""
    overlap, best = _best_objects(image, boxes, objects, plus_one)
    order = _by_image_and_score(image, scores)
    order = order[overlap[order] >= 0]  # only these have a box of their class in their image
    owner, overlaps = best[order], overlap[order]
    ignored = objects.ignored[owner]
    hit = np.zeros((len(thresholds), len(image)), np.bool_)
    false = np.ones_like(hit)
    for row, threshold in enumerate(np.asarray(thresholds, np.float32)):
        near = overlaps >= threshold
        false[row, order[near & ignored]] = False
        claims = np.flatnonzero(near & ~ignored)
        _, first = np.unique(owner[claims], return_index=True)
        hit[row, order[claims[first]]] = True
    return hit, false & ~hit


def _best_objects(
    image: np.ndarray, boxes: np.ndarray, objects: _Objects, plus_one: bool
) -> tuple[np.ndarray, np.ndarray]:
    """For each detection the largest IoU (-1 where its image has no box) and the first box that has it."""
    overlap = np.full(len(image), -1, np.float32)
    best = np.zeros(len(image), np.int64)
    start, stop = np.searchsorted(objects.image, image), np.searchsorted(objects.image, image, side="right")
    rows = np.flatnonzero(stop > start)
    if not len(rows):
        return overlap, best
    counts = (stop - start)[rows]
    first = np.cumsum(counts) - counts  # each detection's pairs lie side by side
    pair_detection = np.repeat(rows, counts)
    pair_object = np.arange(len(pair_detection)) + np.repeat(start[rows] - first, counts)
    iou = _iou(boxes[pair_detection], objects.boxes[pair_object], plus_one)
    overlap[rows] = np.maximum.reduceat(iou, first)
    largest = np.flatnonzero(iou == overlap[pair_detection])[::-1]
    best[pair_detection[largest]] = pair_object[largest]  # backwards: of equal ones the first remains
    return overlap, best


def areas_within(boxes: np.ndarray, areas: tuple[float, float], plus_one: bool) -> np.ndarray:
    """(n,) bool: whether the area of boxes is in a range, both ends included.

    Args:
        boxes: (n, 4) xyxy in pixels.
        areas: The range.
        plus_one: Whether sides are ``x2 - x1 + 1``.

    Args:
        boxes: x1, y1, x2, y2 of each.
        areas: The range, in square pixels.
        plus_one: Whether x2 and y2 name the last pixel inside.

    Example:
        >>> areas_within(np.array([[0, 0, 31, 31], [0, 0, 32, 31]]), (0, 32**2), plus_one=True).tolist()
        [True, False]
    """
    width, height = (boxes[:, k + 2] - boxes[:, k] + np.float32(plus_one) for k in (0, 1))
    area = width * height
    return (area >= areas[0]) & (area <= areas[1])


def _iou(a: np.ndarray, b: np.ndarray, plus_one: bool) -> np.ndarray:
    """IoU of (n, 4) and (n, 4) in float32, rounded step by step as in mmdet's ``bbox_overlaps``."""
    extra = np.float32(plus_one)
    area_a = (a[:, 2] - a[:, 0] + extra) * (a[:, 3] - a[:, 1] + extra)
    area_b = (b[:, 2] - b[:, 0] + extra) * (b[:, 3] - b[:, 1] + extra)
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    sides = np.maximum(high - low + extra, np.float32(0))
    shared = sides[:, 0] * sides[:, 1]
    return shared / np.maximum(area_a + area_b - shared, np.float32(1e-6))


def _by_image_and_score(image: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices by image, in each image by descending score; equal scores as numpy's default sort of it leaves them."""
    order = np.lexsort((-scores, image))
    tied = (image[order][1:] == image[order][:-1]) & (scores[order][1:] == scores[order][:-1])
    for one in np.unique(image[order][1:][tied]):  # the sort of each image decides, so it has to be the same sort
        start, stop = np.searchsorted(image, [one, one + 1])
        order[start:stop] = start + np.argsort(-scores[start:stop])
    return order


def _grouped(keys: np.ndarray, count: int) -> list[np.ndarray]:
    """For each key from 0 to ``count - 1`` the rows that have it, in their order."""
    return np.split(np.argsort(keys, kind="stable"), np.cumsum(np.bincount(keys, minlength=count))[: count - 1])


def _eleven_points(recalls: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    best = np.maximum.accumulate(precisions[:, ::-1], axis=1)[:, ::-1]
    ap = np.zeros(len(recalls), np.float32)
    for row, curve in enumerate(recalls):
        for place in np.searchsorted(curve, np.arange(0, 1 + 1e-3, 0.1)):
            if place < len(curve):
                ap[row] += best[row, place]
    return ap / np.float32(11)


def area_under_curve(recalls: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """Area (T,) float32 under T interpolated curves of n points each, detections by descending score."""
    zeros = np.zeros((len(recalls), 1))
    recalls = np.hstack([zeros, recalls, zeros + 1])
    best = np.hstack([zeros, precisions, zeros])
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    ap = np.zeros(len(recalls), np.float32)
    for row, curve in enumerate(recalls):
        steps = np.flatnonzero(curve[1:] != curve[:-1])
        ap[row] = np.sum((curve[steps + 1] - curve[steps]) * best[row, steps + 1])
    return ap
