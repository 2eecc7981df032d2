"""Soft and hard NMS against mmcv and torchvision, the worked examples of SNIPER, and their invariants."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from mmcv.ops import soft_nms as mmcv_soft_nms

from mmdetpre.models.nms import hard_nms, soft_nms


@st.composite
def detections(draw, most: int = 120):
    """Boxes, scores, labels; whole coordinates, few score values and copies of boxes make ties and duplicates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, most))
    corner = rng.uniform(0, 150, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 120, (count, 2))], axis=1)
    scores = rng.uniform(5e-4, 1, count) ** draw(st.sampled_from([1, 4]))
    if draw(st.booleans()):
        boxes = np.floor(boxes)
        boxes[:, 2:] += 1
    if draw(st.booleans()):
        scores = np.ceil(scores * 8) / 8
    if draw(st.booleans()) and count:
        boxes = boxes[rng.integers(0, count, count)]
    labels = rng.integers(0, draw(st.sampled_from([1, 3, 40])), count)
    return boxes.astype(np.float32), scores.astype(np.float32), labels


def by_mmcv(boxes, scores, labels, min_score):
    """mmcv's soft-NMS of each class: {position: score}; single boxes below min_score, which it keeps, left out."""
    found = {}
    for label in np.unique(labels):
        (where,) = np.nonzero(labels == label)
        dets, keep = mmcv_soft_nms(
            torch.from_numpy(boxes[where]),
            torch.from_numpy(scores[where]),
            sigma=0.55,
            min_score=min_score,
            method="gaussian",
            offset=0,
        )
        found |= {
            int(where[k]): float(s) for k, s in zip(keep.tolist(), dets[:, 4].tolist(), strict=True) if s >= min_score
        }
    return found


@given(detections())
def test_soft_nms_is_mmcvs(arrays):
    keep, scores = soft_nms(*arrays, max_per_img=None)
    expected = by_mmcv(*arrays, 1e-3)
    assert set(keep.tolist()) == set(expected)
    np.testing.assert_allclose(scores, [expected[k] for k in keep.tolist()], rtol=0, atol=1e-5)


@given(detections(), st.sampled_from([0.3, 0.45, 0.7]))
def test_hard_nms_is_torchvisions(arrays, threshold):
    boxes, scores, labels = arrays
    keep, kept = hard_nms(boxes, scores, labels, iou_threshold=threshold, max_per_img=None)
    expected = set()
    for label in np.unique(labels):
        (where,) = np.nonzero(labels == label)
        found = torchvision.ops.nms(torch.from_numpy(boxes[where]), torch.from_numpy(scores[where]), threshold)
        expected |= set(where[found.numpy()].tolist())
    assert set(keep.tolist()) == expected
    np.testing.assert_array_equal(kept, scores[keep])


@given(detections(), st.integers(1, 60), st.booleans(), st.booleans())
def test_limit_keeps_the_best_and_their_ties(arrays, limit, soft, agnostic):
    suppress = soft_nms if soft else hard_nms
    everything, scores = suppress(*arrays, max_per_img=None, class_agnostic=agnostic)
    keep, kept = suppress(*arrays, max_per_img=limit, class_agnostic=agnostic)
    assert (np.diff(scores) <= 0).all() and len(set(everything.tolist())) == len(everything)
    expected = scores if len(scores) <= limit else scores[scores >= scores[limit - 1]]
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(keep, everything[: len(kept)])


@given(detections())
def test_class_agnostic_is_one_class(arrays):
    boxes, scores, labels = arrays
    for suppress in (soft_nms, hard_nms):
        one = suppress(boxes, scores, np.zeros_like(labels))
        for a, b in zip(suppress(boxes, scores, labels, class_agnostic=True), one, strict=True):
            np.testing.assert_array_equal(a, b)


@given(detections())
def test_arguments_are_left_alone(arrays):
    before = [a.copy() for a in arrays]
    soft_nms(*arrays)
    hard_nms(*arrays)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_example_of_sniper():
    # In the original's inclusive pixels the first box is [100, 100, 199, 199].
    boxes = [[100, 100, 200, 200], [110, 100, 210, 200], [300, 300, 400, 400], [105, 105, 205, 205]]
    keep, scores = soft_nms(np.array(boxes), np.array([0.9, 0.8, 0.5, 0.0015]), np.zeros(4))
    assert keep.tolist() == [0, 2, 1]
    assert scores.tolist() == pytest.approx([0.9, 0.5, 0.23686], abs=1e-5)


def test_identical_boxes_of_sniper():
    keep, scores = soft_nms(np.tile([100.0, 100, 200, 200], (3, 1)), np.array([0.9, 0.9, 0.005]), np.zeros(3))
    assert keep.tolist() == [0, 1]
    assert scores.tolist() == pytest.approx([0.9, 0.14609], abs=1e-5)


def test_boxes_without_area_neither_suppress_nor_vanish():
    keep, scores = soft_nms(np.tile([5.0, 5, 5, 9], (2, 1)), np.array([0.5, 0.4]), np.zeros(2))
    assert keep.tolist() == [0, 1] and scores.tolist() == pytest.approx([0.5, 0.4])


def test_nothing_in_nothing_out():
    for suppress in (soft_nms, hard_nms):
        keep, scores = suppress(np.zeros((0, 4)), np.zeros(0), np.zeros(0))
        assert keep.shape == (0,) and scores.shape == (0,)


@pytest.mark.parametrize(
    "suppress, options, message",
    [
        (soft_nms, dict(sigma=0), "sigma is 0"),
        (hard_nms, dict(iou_threshold=1.5), "iou_threshold is 1.5"),
        (soft_nms, dict(max_per_img=0), "max_per_img is 0"),
    ],
)
def test_settings_out_of_range(suppress, options, message):
    with pytest.raises(ValueError, match=message):
        suppress(np.zeros((1, 4)), np.ones(1), np.zeros(1), **options)


def test_arrays_of_different_length():
    with pytest.raises(ValueError, match=r"boxes \(2, 4\), scores \(1,\)"):
        soft_nms(np.zeros((2, 4)), np.ones(1), np.zeros(1))
