"""Which objects the detections of a run find."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmdetpre.evaluation.errors.pairs import REGION_SHARE, OverlappingPairs, rows_per_value


class Match(IntEnum):
    """What becomes of a detection: it finds an object; it lies on or in one that does not count; neither."""

    FALSE = -1
    IGNORED = 0
    CORRECT = 1


class Matches(NamedTuple):
    """Outcome of each detection.

    Attributes:
        object: (n,) int64 row of the object that the detection finds, -1 where it finds none.
        outcome: (n,) int8 of :class:`Match`.
    """

    object: np.ndarray
    outcome: np.ndarray


def match_detections(
    pairs: OverlappingPairs,
    detection_label: np.ndarray,
    detection_score: np.ndarray,
    object_label: np.ndarray,
    object_ignored: np.ndarray,
    *,
    object_region: np.ndarray | None = None,
    iou_thr: float = 0.5,
) -> Matches:
    """Let the detections find objects of their class, the highest-scoring detection first.

    A detection finds the object of its class that it overlaps most among those not found yet, if their IoU is at least
    ``iou_thr``; one detection finds one object. This is the rule of Hoiem et al., "Diagnosing Error in Object
    Detectors" (ECCV 2012). The VOC development kit differs where objects of a class overlap: there a detection counts
    as false if the object that it overlaps most has been found before.

    Objects to be ignored are not targets: detections of their class that find nothing else count neither way, any
    number of them, if their IoU with a difficult object is at least ``iou_thr``, or if at least ``REGION_SHARE`` (half)
    of their own area lies in a region (crowd, group-of), as in COCO's and OpenImages' evaluation. By IoU the single
    persons in a crowd's box would all be false.

    Args:
        pairs: All pairs with an IoU of ``iou_thr`` or less upwards, and those of the regions.
        detection_label: (n,) class indices.
        detection_score: (n,) scores; among equal ones the first row is the highest-scoring.
        object_label: (m,) class indices.
        object_ignored: (m,) bool.
        object_region: (m,) bool, those of the ignored ones that are regions; ``None``: none. Give the same to
            :func:`~mmdetpre.evaluation.errors.pairs.overlapping_pairs`.
        iou_thr: Least IoU at which an object is found.

    Example:
        >>> from mmdetpre.evaluation.errors.pairs import overlapping_pairs
        >>> pairs = overlapping_pairs([0, 0], [[0, 0, 10, 8], [0, 0, 10, 10]], [0], [[0, 0, 10, 10]])
        >>> match_detections(pairs, [3, 3], [0.6, 0.9], [3], [False])
        Matches(object=array([-1,  0]), outcome=array([-1,  1], dtype=int8))
    """
    detection_label, object_label = np.asarray(detection_label), np.asarray(object_label)
    object_ignored = np.asarray(object_ignored, bool)
    rank = np.empty(len(detection_label), np.int64)
    rank[by_score(detection_score)] = np.arange(len(rank))
    region = np.zeros(len(object_label), bool) if object_region is None else np.asarray(object_region, bool)
    object_ignored = object_ignored | region
    near = np.where(region[pairs.object], pairs.inside >= REGION_SHARE, pairs.iou >= iou_thr)
    close = near & (detection_label[pairs.detection] == object_label[pairs.object])
    detection, target, iou = (column[close] for column in (pairs.detection, pairs.object, pairs.iou))
    on_ignored = object_ignored[target]
    order = np.lexsort((target, -iou, rank[detection]))
    order = order[~on_ignored[order]]
    found = [-1] * len(rank)
    free = [True] * len(object_label)
    for d, g in zip(detection[order].tolist(), target[order].tolist(), strict=True):
        if found[d] < 0 and free[g]:
            found[d], free[g] = g, False
    found_rows = np.array(found, np.int64)
    outcome = np.full(len(rank), Match.FALSE, np.int8)
    outcome[detection[on_ignored]] = Match.IGNORED
    outcome[found_rows >= 0] = Match.CORRECT
    return Matches(found_rows, outcome)


def by_score(score: np.ndarray) -> np.ndarray:
    """(n,) rows by falling score; equal ones keep their order."""
    return np.argsort(-np.asarray(score, np.float64), kind="stable")


def top_scoring(label: np.ndarray, score: np.ndarray) -> dict[int, np.ndarray]:
    """The rows of each class that occurs, by falling score."""
    order = by_score(score)
    return {c: order[places] for c, places in rows_per_value(np.asarray(label)[order]).items()}
