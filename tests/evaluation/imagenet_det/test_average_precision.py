"""The rules of ILSVRC's detection task on cases small enough for paper and pencil."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.imagenet_det.average_precision import imagenet_det_average_precision
from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision


def evaluate(truth, found, ignore=None, classes=("a",), images=1, iou_thr=0.5):
    """AP of boxes given as (image, label, x1, y1, x2, y2) and (image, label, score, x1, y1, x2, y2)."""
    truth, found = sorted(truth), sorted(found, key=lambda row: row[0])
    run = Detections(
        classes,
        tuple(map(str, range(images))),
        [row[0] for row in found],
        np.array([row[3:] for row in found]).reshape(-1, 4),
        [row[2] for row in found],
        [row[1] for row in found],
        truth=GroundTruth(
            [row[0] for row in truth],
            np.array([row[2:] for row in truth]).reshape(-1, 4),
            [row[1] for row in truth],
            ignore or [False] * len(truth),
        ),
    )
    return imagenet_det_average_precision(run, iou_thr)


def test_small_boxes_need_less_overlap():
    # 10 x 10: 100 / 400 = 0.25 is enough; 100 x 100: 0.5.
    assert evaluate([(0, 0, 0, 0, 10, 10)], [(0, 0, 0.9, 0, 0, 10, 2.6)]) == [1]
    assert evaluate([(0, 0, 0, 0, 10, 10)], [(0, 0, 0.9, 0, 0, 10, 2.4)]) == [0]
    assert evaluate([(0, 0, 0, 0, 100, 100)], [(0, 0, 0.9, 0, 0, 100, 49)]) == [0]
    assert evaluate([(0, 0, 0, 0, 100, 100)], [(0, 0, 0.9, 0, 0, 100, 50)]) == [1]
    assert evaluate([(0, 0, 0, 0, 100, 100)], [(0, 0, 0.9, 0, 0, 100, 50)], iou_thr=0.6) == [0]


def test_a_second_detection_may_take_the_next_best_box():
    truth = [(0, 0, 0, 0, 100, 100), (0, 0, 0, 20, 100, 120)]
    found = [(0, 0, 0.9, 0, 0, 100, 100), (0, 0, 0.8, 0, 8, 100, 108)]
    # The second overlaps the taken box most (0.85); the other one with 0.79 is still free.
    assert evaluate(truth, found) == [1]


def test_doubles_are_false_and_precision_is_interpolated():
    truth = [(0, 0, 0, 0, 100, 100), (1, 0, 0, 0, 100, 100)]
    found = [(0, 0, 0.9, 0, 0, 100, 100), (0, 0, 0.8, 0, 0, 100, 100), (1, 0, 0.7, 0, 0, 100, 100)]
    assert evaluate(truth, found, images=2) == pytest.approx([0.5 + 0.5 * 2 / 3])


def test_ignored_boxes_do_not_count_either_way():
    truth = [(0, 0, 0, 0, 100, 100), (0, 0, 200, 0, 300, 100)]
    found = [(0, 0, 0.9, 200, 0, 300, 100), (0, 0, 0.8, 0, 0, 100, 100)]
    assert evaluate(truth, found, ignore=[False, True]) == [1]
    double = [(0, 0, 0.95, 200, 0, 300, 98), *found]
    assert evaluate(truth, double, ignore=[False, True]) == [1]
    assert evaluate(truth, double) == pytest.approx([0.5 + 0.5 * 2 / 3])


def test_classes_and_images_do_not_mix():
    truth = [(0, 0, 0, 0, 100, 100), (1, 1, 0, 0, 100, 100)]
    found = [(0, 1, 0.9, 0, 0, 100, 100), (1, 1, 0.8, 0, 0, 100, 100), (1, 0, 0.7, 0, 0, 100, 100)]
    ap = evaluate(truth, found, classes=("a", "b", "c"), images=2)
    assert ap[:2].tolist() == [0, 0.5] and np.isnan(ap[2])


def test_nothing_found_is_zero_and_nothing_annotated_an_error():
    assert evaluate([(0, 0, 0, 0, 100, 100)], []) == [0]
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate([], [(0, 0, 0.9, 0, 0, 1, 1)])
    with pytest.raises(ValueError, match="come without ground truth"):
        imagenet_det_average_precision(Detections(("a",), ("0",), [], np.zeros((0, 4)), [], []))


@given(st.integers(0, 2**32 - 1))
def test_equals_voc_where_boxes_are_large_and_far_apart(seed):
    rng = np.random.default_rng(seed)
    corner = np.arange(6) * 400.0
    boxes = np.stack([corner, corner, corner + 120, corner + 150], axis=1)
    image = np.sort(rng.integers(0, 3, 6))
    found = boxes + rng.normal(0, 25, boxes.shape)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    truth = GroundTruth(image, boxes, rng.integers(0, 2, 6), rng.random(6) < 0.2)
    if truth.ignore.all():
        return
    run = Detections(("a", "b"), ("0", "1", "2"), image, found, rng.random(6), rng.integers(0, 2, 6), truth=truth)
    voc = voc_average_precision(run, [0.5], mode="area", plus_one=False).ap[:, 0]
    np.testing.assert_allclose(imagenet_det_average_precision(run), voc, atol=1e-6)


@pytest.mark.parametrize("plus_one", [False, True])
def test_boxes_are_measured_as_the_run_says(plus_one):
    truth = GroundTruth([0], [[0, 0, 99, 99]], [0], [False])
    run = Detections(("a",), ("0",), [0], [[0, 0, 99, 49]], [0.9], [0], truth=truth, plus_one=plus_one)
    assert imagenet_det_average_precision(run).tolist() == [plus_one]  # 100 x 50 of 100 x 100, or 99 x 49 of 99 x 99
