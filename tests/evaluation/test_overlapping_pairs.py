from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.overlapping_pairs import iou_matrix, overlapping_pairs


def test_only_pairs_of_one_image_with_enough_overlap() -> None:
    detections = [[0, 0, 10, 10], [0, 0, 10, 10], [5, 0, 15, 10], [9, 9, 19, 19]]
    pairs = overlapping_pairs([2, 0, 2, 2], detections, [1, 2], [[0, 0, 10, 10], [0, 0, 10, 10]], min_iou=0.1)
    assert pairs.detection.tolist() == [0, 2]
    assert pairs.object.tolist() == [1, 1]
    assert pairs.iou.tolist() == [1.0, pytest.approx(1 / 3)]


def test_boxes_without_area_overlap_nothing() -> None:
    assert iou_matrix([[3, 3, 3, 9], [5, 5, 4, 4]], [[0, 0, 9, 9], [3, 3, 3, 9]]).tolist() == [[0, 0], [0, 0]]


def test_nothing_found_and_nothing_annotated() -> None:
    empty = np.zeros((0, 4))
    assert len(overlapping_pairs([], empty, [0], [[0, 0, 1, 1]]).iou) == 0
    assert len(overlapping_pairs([0], [[0, 0, 1, 1]], [], empty).iou) == 0


@pytest.mark.parametrize("min_iou", [0.0, -0.1, 1.5])
def test_impossible_threshold(min_iou: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        overlapping_pairs([0], [[0, 0, 1, 1]], [0], [[0, 0, 1, 1]], min_iou=min_iou)


@given(st.integers(0, 2**31))
def test_iou_counts_pixels(seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.integers(0, 12, (2, 2))
    a, b = np.hstack([low, low + random.integers(1, 9, (2, 2))])
    masks = np.zeros((2, 24, 24), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, (a, b), strict=True):
        mask[y1:y2, x1:x2] = True
    assert iou_matrix(a, b)[0, 0] == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())
