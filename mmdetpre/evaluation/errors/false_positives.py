"""What kind of error a false positive is."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmdetpre.evaluation.errors.matching import Match, top_scoring
from mmdetpre.evaluation.errors.pairs import OverlappingPairs


class ErrorType(IntEnum):
    """Type of a detection; ``IGNORED`` counts nowhere."""

    IGNORED = -1
    CORRECT = 0
    LOCALIZATION = 1
    SIMILAR = 2
    OTHER = 3
    BACKGROUND = 4


TYPE_NAMES = ("correct", "localization", "similar class", "other class", "background")
"""Names of the types from ``CORRECT`` on."""


class TypeCounts(NamedTuple):
    """How many detections of each class are of which type.

    Attributes:
        top_detections: (C, 5) among the N highest-scoring detections of a class, N = its number of objects; columns as
            ``TYPE_NAMES``.
        top_false_positives: (C, 5) among its N highest-scoring false positives; the column of the correct ones is 0.
        false_positives: (C, 5) among all its false positives.
    """

    top_detections: np.ndarray
    top_false_positives: np.ndarray
    false_positives: np.ndarray


def error_types(
    pairs: OverlappingPairs,
    outcome: np.ndarray,
    detection_label: np.ndarray,
    object_label: np.ndarray,
    similar: np.ndarray,
    *,
    min_iou: float = 0.1,
) -> np.ndarray:
    """Give each detection one type.

    A false positive is, by the first that holds,

    * ``LOCALIZATION``: it overlaps an object of its class by at least ``min_iou``, but too little to find it, or the
      object has been found by a higher-scoring detection (a duplicate);
    * ``SIMILAR``: it overlaps an object of a similar class by at least ``min_iou``;
    * ``OTHER``: likewise an object of any other class;
    * ``BACKGROUND``: none of these.

    Objects to be ignored count as objects here, with their IoU: something of their class is there. Source: Hoiem et
    al., "Diagnosing Error in Object Detectors" (ECCV 2012), section 2.

    Args:
        pairs: All pairs with an IoU of at least ``min_iou`` (or less); others, such as those of regions, do no harm.
        outcome: (n,) of :func:`~mmdetpre.evaluation.errors.matching.match_detections`.
        detection_label: (n,) class indices.
        object_label: (m,) class indices.
        similar: (C, C) bool, see :func:`~mmdetpre.evaluation.errors.class_groups.similar_classes`.
        min_iou: Least IoU that blames an object.

    Returns:
        (n,) int8 of :class:`ErrorType`.

    Example:
        >>> from mmdetpre.evaluation.errors.pairs import overlapping_pairs
        >>> boxes = [[0, 0, 10, 10], [0, 0, 10, 4], [0, 0, 10, 9], [70, 70, 80, 80]]
        >>> pairs = overlapping_pairs([0] * 4, boxes, [0], [[0, 0, 10, 10]])
        >>> error_types(pairs, [1, -1, -1, -1], [0, 0, 1, 0], [0], np.zeros((2, 2), bool)).tolist()
        [0, 1, 3, 4]
    """
    outcome, detection_label, object_label = np.asarray(outcome), np.asarray(detection_label), np.asarray(object_label)
    types = np.full(len(outcome), ErrorType.BACKGROUND, np.int8)
    near = pairs.iou >= min_iou
    detection = pairs.detection[near]
    own, seen = detection_label[detection], object_label[pairs.object[near]]
    types[detection[own != seen]] = ErrorType.OTHER
    types[detection[similar[own, seen]]] = ErrorType.SIMILAR
    types[detection[own == seen]] = ErrorType.LOCALIZATION
    types[outcome == Match.CORRECT] = ErrorType.CORRECT
    types[outcome == Match.IGNORED] = ErrorType.IGNORED
    return types


def count_types(types: np.ndarray, label: np.ndarray, score: np.ndarray, objects: np.ndarray) -> TypeCounts:
    """Count the types among the highest-scoring detections of each class.

    Args:
        types: (n,) of :func:`error_types`; ignored detections are left out before the highest-scoring are taken.
        label: (n,) class indices.
        score: (n,) scores.
        objects: (C,) number of objects of each class, those to be ignored not counted.

    Example:
        >>> counts = count_types([0, 4, 1, 0], [0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6], [2])
        >>> counts.top_detections.tolist(), counts.top_false_positives.tolist()
        ([[1, 0, 0, 0, 1]], [[0, 1, 0, 0, 1]])
    """
    types, objects = np.asarray(types), np.asarray(objects)
    counts = np.zeros((3, len(objects), len(TYPE_NAMES)), np.int64)
    for c, rows in top_scoring(label, score).items():
        own, number = types[rows], int(objects[c])
        own = own[own != ErrorType.IGNORED]
        wrong = own[own != ErrorType.CORRECT]
        for part, chosen in enumerate((own[:number], wrong[:number], wrong)):
            counts[part, c] = np.bincount(chosen, minlength=len(TYPE_NAMES))
    return TypeCounts(*counts)
