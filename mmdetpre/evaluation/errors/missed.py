"""Which objects a detector misses, by any property of the objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdetpre.evaluation.errors.matching import Match, Matches, top_scoring
from mmdetpre.evaluation.errors.normalized_ap import normalized_ap, normalized_precision
from mmdetpre.evaluation.errors.pairs import rows_per_value

MIN_PRECISION = 0.05


@dataclass(frozen=True)
class LevelErrors:
    """Objects of one level.

    Attributes:
        level: Its name.
        objects: Number of objects that count.
        missed: How many of them are not found at the operating point.
        normalized_ap: Mean normalized AP over the classes that have such objects; all scores count. None without any.
    """

    level: str
    objects: int
    missed: int
    normalized_ap: float | None

    @property
    def missed_share(self) -> float | None:
        """Fraction of the objects that is missed (paper, Table 3); None without objects."""
        return self.missed / self.objects if self.objects else None


def detections_in_use(
    found: Matches,
    label: np.ndarray,
    score: np.ndarray,
    objects: np.ndarray,
    *,
    normal_objects: float,
    score_thr: float | None = None,
    min_precision: float = MIN_PRECISION,
) -> np.ndarray:
    """The operating point: which detections are taken into account when it is asked whether an object is missed.

    Without ``score_thr`` each class goes down its list as far as its interpolated normalized precision is at least
    ``min_precision``: the rule of Hoiem et al. 2012 (whose software uses 0.05 and ``0.15 x images`` normal objects; see
    :func:`~mmdetpre.evaluation.errors.normalized_ap.normal_objects` for crowded data).
    It puts runs with differently calibrated scores at the same place; a score threshold does not.

    Args:
        found: Of :func:`~mmdetpre.evaluation.errors.matching.match_detections`.
        label: (n,) class indices of the detections.
        score: (n,) their scores.
        objects: (C,) number of objects of each class, those to be ignored not counted.
        normal_objects: See :func:`~mmdetpre.evaluation.errors.normalized_ap.normalized_precision`.
        score_thr: Use the detections with at least this score instead.
        min_precision: Least normalized precision.

    Returns:
        (n,) bool.
    """
    label, score = np.asarray(label), np.asarray(score)
    if score_thr is not None:
        return score >= score_thr
    used, objects = np.zeros(len(score), bool), np.asarray(objects)
    for c, rows in top_scoring(label, score).items():
        used[rows] = normalized_precision(found.outcome[rows], int(objects[c]), normal_objects) >= min_precision
    return used


def missed_by_level(
    found: Matches,
    used: np.ndarray,
    detection_label: np.ndarray,
    detection_score: np.ndarray,
    object_label: np.ndarray,
    levels: np.ndarray,
    level_names: Sequence[str],
    *,
    normal_objects: float,
) -> tuple[LevelErrors, ...]:
    """Count missed objects level by level.

    For the AP of a level the detections that find objects of other levels count neither way; all false positives count.

    Args:
        found: Of :func:`~mmdetpre.evaluation.errors.matching.match_detections`.
        used: (n,) bool of :func:`detections_in_use`.
        detection_label: (n,) class indices.
        detection_score: (n,) scores.
        object_label: (m,) class indices.
        levels: (m,) indices into ``level_names``; -1 for objects that take no part.
        level_names: Names, in the order of the result.
        normal_objects: See :func:`~mmdetpre.evaluation.errors.normalized_ap.normalized_precision`.

    Example:
        >>> found = Matches(object=np.array([0, -1]), outcome=np.array([1, -1]))
        >>> for level in missed_by_level(found, np.array([True, True]), np.array([0, 0]), np.array([0.9, 0.8]),
        ...                              np.array([0, 0]), np.array([0, 1]), ["none", "high"], normal_objects=2):
        ...     print(level)
        LevelErrors(level='none', objects=1, missed=0, normalized_ap=1.0)
        LevelErrors(level='high', objects=1, missed=1, normalized_ap=0.0)
    """
    levels, object_label = np.asarray(levels), np.asarray(object_label)
    is_found = np.zeros(len(levels), bool)
    is_found[found.object[np.asarray(used) & (found.outcome == Match.CORRECT)]] = True
    rows_of_class = top_scoring(detection_label, detection_score)
    none = np.zeros(0, np.int64)
    results = []
    for k, name in enumerate(level_names):
        chosen = levels == k
        outcome = found.outcome.copy()
        elsewhere = outcome == Match.CORRECT
        elsewhere[elsewhere] = ~chosen[found.object[elsewhere]]
        outcome[elsewhere] = Match.IGNORED
        aps = [
            normalized_ap(outcome[rows_of_class.get(c, none)], len(objects), normal_objects)
            for c, objects in rows_per_value(object_label[chosen]).items()
        ]
        results.append(
            LevelErrors(
                level=name,
                objects=int(chosen.sum()),
                missed=int((chosen & ~is_found).sum()),
                normalized_ap=float(np.mean(aps)) if aps else None,
            )
        )
    return tuple(results)
