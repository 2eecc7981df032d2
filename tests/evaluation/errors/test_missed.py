from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.errors.matching import Matches
from mmdetpre.evaluation.errors.missed import LevelErrors, detections_in_use, missed_by_level


def found(*objects: int) -> Matches:
    rows = np.array(objects, np.int64)
    return Matches(rows, np.where(rows >= 0, 1, -1).astype(np.int8))


def test_missed_at_each_level_by_hand() -> None:
    # objects 0 1 2 3, levels none none high high; the last detection, on object 3, is below the threshold
    run, score, label = found(0, -1, 2, 3), np.array([0.9, 0.8, 0.7, 0.3]), np.zeros(4, int)
    used = detections_in_use(run, label, score, [4], normal_objects=4, score_thr=0.5)
    assert used.tolist() == [True, True, True, False]
    levels = missed_by_level(
        run, used, label, score, np.zeros(4, int), np.array([0, 0, 1, 1]), ["none", "high", "unseen"], normal_objects=4
    )
    assert [(level.objects, level.missed, level.missed_share) for level in levels] == [
        (2, 1, 0.5), (2, 1, 0.5), (0, 0, None),
    ]  # fmt: skip
    # none: found first, no false positive before: precision 1 for one of two. high: after one false positive,
    # R = 1/2 then 1, N = 4: 2/3 and 4/5, interpolated 4/5 twice.
    assert levels[0].normalized_ap == pytest.approx(0.5)
    assert levels[1].normalized_ap == pytest.approx(0.8)
    assert levels[2].normalized_ap is None


def test_objects_without_level_take_no_part() -> None:
    run = found(0, 1)
    score, label = np.array([0.9, 0.8]), np.zeros(2, int)
    (level,) = missed_by_level(
        run, np.ones(2, bool), label, score, np.zeros(3, int), np.array([-1, 0, -1]), ["x"], normal_objects=2
    )
    assert level == LevelErrors("x", 1, 0, 1.0)


def test_normalized_precision_ends_the_list_class_by_class() -> None:
    outcome = np.array([1, *[-1] * 50, 1], np.int8)  # the last one at R = 1, N = 2: 2 / (2 + 50) < 0.05
    run = Matches(np.where(outcome == 1, np.cumsum(outcome == 1) - 1, -1), outcome)
    score, label = np.linspace(1, 0, 52), np.zeros(52, int)
    used = detections_in_use(run, label, score, [2, 0], normal_objects=2)
    assert used[0] and not used[-1] and (np.diff(used.astype(int)) <= 0).all()
    assert detections_in_use(run, label, score, [2, 0], normal_objects=2, min_precision=0.03).all()
    calibrated = detections_in_use(run, label, score**3, [2, 0], normal_objects=2)
    assert (calibrated == used).all(), "the operating point depends on the order of the scores alone"


@given(st.integers(0, 2**31))
def test_levels_divide_the_objects(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = random.integers(0, 30), random.integers(1, 15)
    objects = random.permutation(np.concatenate([np.arange(m), np.full(n, -1)]))[:n]
    labels = random.integers(0, 3, m)
    detection_label = np.where(objects >= 0, labels[objects], random.integers(0, 3, n))
    score, levels = random.random(n), random.integers(0, 4, m)
    run = found(*objects)
    used = detections_in_use(run, detection_label, score, np.bincount(labels, minlength=3), normal_objects=5)
    args = (run, used, detection_label, score, labels)
    parts = missed_by_level(*args, levels, "abcd", normal_objects=5)
    (whole,) = missed_by_level(*args, np.zeros(m, int), ["all"], normal_objects=5)
    assert sum(part.objects for part in parts) == whole.objects == m
    assert sum(part.missed for part in parts) == whole.missed
    assert all(part.normalized_ap is None or 0 <= part.normalized_ap <= 1 for part in parts)
