from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.errors.occlusion import covered_fractions, levels_from_cover


def test_what_several_boxes_cover_together_counts_once() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 5, 10], [4, 0, 6, 10], [20, 20, 30, 30]]
    assert covered_fractions([0, 0, 0, 0], boxes).tolist() == pytest.approx([0.6, 1.0, 1.0, 0.0])


def test_boxes_of_other_images_cover_nothing() -> None:
    assert covered_fractions([0, 1], [[0, 0, 10, 10], [0, 0, 10, 10]]).tolist() == [0, 0]


def test_empty_boxes() -> None:
    assert covered_fractions([0, 0], [[5, 5, 5, 9], [0, 0, 10, 10]]).tolist() == [0, 0]
    assert len(covered_fractions([], np.zeros((0, 4)))) == 0


def test_level_begins_at_its_share() -> None:
    assert levels_from_cover([0, 0.0099, 0.01, 0.0999, 0.1, 0.4999, 0.5, 1]).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@given(st.integers(0, 2**31))
def test_covered_pixels(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = random.integers(1, 9)
    low = random.integers(0, 15, (n, 2))
    boxes = np.hstack([low, low + random.integers(1, 12, low.shape)])
    masks = np.zeros((n, 32, 32), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    expected = [
        (masks[i] & masks[np.arange(n) != i].any(axis=0)).sum() / masks[i].sum() for i in range(n)
    ]  # fmt: skip
    assert covered_fractions(np.zeros(n), boxes).tolist() == pytest.approx(expected)
