from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.mask import iou as coco_iou

from mmdetpre.evaluation.errors.pairs import overlapping_pairs, overlaps


def test_only_pairs_of_one_image_with_enough_overlap() -> None:
    detections = [[0, 0, 10, 10], [0, 0, 10, 10], [5, 0, 15, 10], [9, 9, 19, 19]]
    pairs = overlapping_pairs([2, 0, 2, 2], detections, [1, 2], [[0, 0, 10, 10], [0, 0, 10, 10]], min_iou=0.1)
    assert pairs.detection.tolist() == [0, 2]
    assert pairs.object.tolist() == [1, 1]
    assert pairs.iou.tolist() == [1.0, pytest.approx(1 / 3)]


def test_boxes_without_area_overlap_nothing() -> None:
    assert overlaps([[3, 3, 3, 9], [5, 5, 4, 4]], [[0, 0, 9, 9], [3, 3, 3, 9]])[0].tolist() == [[0, 0], [0, 0]]


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
    assert overlaps(a, b)[0][0, 0] == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def test_in_a_region_half_of_the_detection_is_enough() -> None:
    detections = [[10, 10, 20, 20], [-5, 0, 5, 10], [-6, 0, 4, 10], [200, 0, 210, 10]]
    region, same_box = [0, 0, 100, 100], [0, 0, 100, 100]
    pairs = overlapping_pairs([0] * 4, detections, [0, 0], [region, same_box], object_region=[True, False])
    assert pairs.detection.tolist() == [0, 1] and pairs.object.tolist() == [0, 0]
    assert pairs.iou[0] == pytest.approx(0.01) and pairs.inside.tolist() == [1.0, 0.5]


@given(st.integers(0, 2**31))
def test_shares_inside_are_those_of_cocos_crowds(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = random.integers(1, 8, 2)
    low = random.integers(0, 12, (n + m, 2)).astype(float)
    sides = random.integers(1, 20, low.shape).astype(float)
    boxes = np.hstack([low, low + sides])
    region = random.random(m) < 0.5
    pairs = overlapping_pairs([0] * n, boxes[:n], [0] * m, boxes[n:], object_region=region, min_iou=0.3)
    coco = np.hstack([low, sides])
    iou, inside = (coco_iou(coco[:n], coco[n:], [crowd] * m) for crowd in (0, 1))
    expected = np.nonzero((iou >= 0.3) | (region & (inside >= 0.5)))
    np.testing.assert_array_equal((pairs.detection, pairs.object), expected)
    np.testing.assert_allclose(pairs.iou, iou[expected])
    np.testing.assert_allclose(pairs.inside, inside[expected])
