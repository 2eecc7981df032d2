from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.errors.size_bins import ASPECT_NAMES, SIZE_NAMES, aspect_bins, size_bins


def test_a_tenth_two_four_two_and_one() -> None:
    boxes = [[0, 0, side, side] for side in range(1, 101)]
    bins = size_bins(boxes, np.zeros(100), np.ones(100))
    assert np.bincount(bins).tolist() == [10, 20, 40, 20, 10]
    assert (np.diff(bins) >= 0).all()


def test_each_class_has_its_own_bins_and_what_does_not_count_has_none() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 900, 900], [0, 0, 1, 1]]
    assert size_bins(boxes, [0, 0, 1, 0], [True, True, True, False]).tolist() == [1, 3, 2, -1]


def test_tall_to_wide() -> None:
    boxes = [[0, 0, 100 + 10 * i, 100] for i in range(10)]
    assert aspect_bins(boxes, [0] * 10, [True] * 10).tolist() == [0, 1, 1, 2, 2, 2, 2, 3, 3, 4]
    assert SIZE_NAMES[0] == "XS" and ASPECT_NAMES[0] == "XT" and ASPECT_NAMES[-1] == "XW"


@given(st.integers(0, 2**31))
def test_bins_divide_the_objects_and_follow_their_size(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = random.integers(1, 40)
    boxes = np.hstack([np.zeros((n, 2)), random.integers(1, 6, (n, 2))])
    label, counts = random.integers(0, 3, n), random.random(n) < 0.8
    area = boxes[:, 2] * boxes[:, 3]
    bins = size_bins(boxes, label, counts)
    assert ((bins >= 0) == counts).all() and bins.max() < len(SIZE_NAMES)
    for c in range(3):
        own = np.flatnonzero(counts & (label == c))
        for i in own:
            assert (bins[own][area[own] <= area[i]] <= bins[i]).all()  # equal ones share a bin
