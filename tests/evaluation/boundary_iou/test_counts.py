from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from mmdetpre.evaluation.boundary_iou.counts import boundary_region, boundary_width, check_dilation_ratio, measure_image

VOID, CLASSES = 255, 4
shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))
ratios = st.sampled_from([0.001, 0.05, 0.1, 0.2, 1])


@st.composite
def maps(draw, void: bool = True) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    few = draw(st.sampled_from([[0, 1], [0, 1, 2, 3], [0] * 30 + [1], [2]])) + ([VOID] if void else [])
    truth = draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from(few), fill=st.just(few[0])))
    found = st.sampled_from([0, 0, 0, 1, 2, 3])
    return truth, draw(arrays.arrays(np.int64, shape, elements=found, fill=st.just(0)))


def eroded(mask: np.ndarray, width: int) -> np.ndarray:
    return ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)


def eroded_by_opencv(mask: np.ndarray, width: int) -> np.ndarray:
    """As the code of the paper does it."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1].astype(bool)


def brute_force(truth, prediction, classes, ratio, erode=eroded, void=VOID):
    """Erode one mask after the other; no distances anywhere."""
    width = max(1, round(ratio * np.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2)))
    scored = truth != void
    areas = np.zeros((2, 3, classes), int)
    for label in range(classes):
        masks = [(one == label) & scored for one in (truth, prediction)]
        for k, parts in enumerate(([mask & ~erode(mask, width) for mask in masks], masks)):
            areas[k, :, label] = [(parts[0] & parts[1]).sum(), parts[0].sum(), parts[1].sum()]
    return areas


def assert_equals_brute_force(truth, prediction, classes, ratio, erode=eroded):
    areas = measure_image(truth, prediction, classes=classes, dilation_ratio=ratio)
    np.testing.assert_array_equal([areas.boundary, areas.whole], brute_force(truth, prediction, classes, ratio, erode))


@given(maps(), ratios)
def test_filters_of_the_map_are_erosions_of_every_mask(both, ratio):
    assert_equals_brute_force(*both, CLASSES, ratio)


@given(maps(void=False), ratios)
def test_without_void_it_is_the_code_of_the_paper(both, ratio):
    assert_equals_brute_force(*both, CLASSES, ratio, eroded_by_opencv)


def test_voc(shared_data):
    files = sorted((shared_data / "voc2012/VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))
    assert len(files) == 62
    for i, file in enumerate(files[::3]):
        truth = np.array(Image.open(file))
        moved = np.roll(truth, (i % 5 - 2, 3), (0, 1))
        assert_equals_brute_force(truth, np.where(moved == VOID, i % 21, moved), 21, 0.02)


@given(maps(), ratios, st.integers(0, CLASSES - 1))
def test_nothing_inside_void_matters(both, ratio, other):
    truth, prediction = both
    areas = measure_image(truth, prediction, classes=CLASSES, dilation_ratio=ratio)
    changed = np.where(truth == VOID, other, prediction)
    again = measure_image(truth, changed, classes=CLASSES, dilation_ratio=ratio)
    np.testing.assert_array_equal(areas.boundary, again.boundary)
    np.testing.assert_array_equal(areas.whole, again.whole)


@given(maps(), ratios)
def test_right_at_all_scored_pixels_is_one(both, ratio):
    truth, prediction = both
    right = np.where(truth == VOID, prediction, truth)
    iou = measure_image(truth, right, classes=CLASSES, dilation_ratio=ratio).boundary_iou()
    present = [label in truth for label in range(CLASSES)]
    assert (iou[present] == 1).all() and np.isnan(iou[np.logical_not(present)]).all()


@given(maps(void=False), ratios)
def test_truth_and_prediction_may_change_places(both, ratio):
    truth, prediction = both
    forth = measure_image(truth, prediction, classes=CLASSES, dilation_ratio=ratio)
    back = measure_image(prediction, truth, classes=CLASSES, dilation_ratio=ratio)
    np.testing.assert_array_equal(forth.boundary, back.boundary[[0, 2, 1]])


@given(maps())
def test_regions_as_wide_as_the_image_are_the_masks(both):
    areas = measure_image(*both, classes=CLASSES, dilation_ratio=1)
    np.testing.assert_array_equal(areas.boundary, areas.whole)


@given(maps(), maps(), ratios)
def test_images_are_added(first, second, ratio):
    parts = [measure_image(*both, classes=CLASSES, dilation_ratio=ratio) for both in (first, second)]
    total = parts[0] + parts[1]
    assert total.images == 2
    np.testing.assert_array_equal(total.boundary, parts[0].boundary + parts[1].boundary)
    with pytest.raises(ValueError, match="another number of classes"):
        total + measure_image(*first, classes=CLASSES + 1, dilation_ratio=ratio)


def test_a_shifted_square_by_hand():
    truth, prediction = np.zeros((2, 40, 40), int)
    truth[10:20, 10:20] = 1
    prediction[10:20, 11:21] = 1
    areas = measure_image(truth, prediction, classes=2, dilation_ratio=0.001)  # rings of one pixel, 36 each
    assert areas.boundary[:, 1].tolist() == [18, 36, 36]  # of rows 10 and 19, nine pixels each
    np.testing.assert_allclose(areas.boundary_iou()[1], 18 / 54)
    np.testing.assert_allclose(areas.mask_iou()[1], 90 / 110)


@pytest.mark.parametrize("classes", [255, 256, 300])
def test_many_classes(classes):
    random = np.random.default_rng(0)
    truth = random.choice([0, 44, 254, classes - 1, 1000], (30, 40)).repeat(3, 0)
    prediction = random.choice([0, 44, 254, classes - 1], (30, 40)).repeat(3, 0)
    areas = measure_image(truth, prediction, classes=classes, ignore_index=1000)
    expected = brute_force(np.where(truth == 1000, -1, truth), prediction, classes, 0.02, void=-1)
    np.testing.assert_array_equal([areas.boundary, areas.whole], expected)


def test_the_image_border_is_contour():
    whole = np.zeros((5, 6), np.uint8)
    assert boundary_region(whole, 1).tolist() == [
        [True] * 6, *[[True, False, False, False, False, True]] * 3, [True] * 6
    ]  # fmt: skip
    assert boundary_region(whole, 1000).all()


def test_width_is_a_part_of_the_diagonal():
    assert boundary_width((375, 500)) == round(12.5) == 12  # to even, as in the paper's code
    assert [boundary_width((30, 40), ratio) for ratio in (0.0001, 0.05, 0.07, 1)] == [1, 2, 4, 50]


@pytest.mark.parametrize("ratio", [0, -0.1, 1.01, 2, float("nan"), "0.02", True, None])
def test_bad_ratios(ratio):
    with pytest.raises(ValueError, match="dilation_ratio is .*above 0 and at most 1, such as 0.02"):
        check_dilation_ratio(ratio)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.full((2, 3), 4), np.zeros((2, 3)), r"the label map holds 4: expected are 0 to 3.*255 for void"),
        (np.array([[-1, 0, 9]]), np.zeros((1, 3)), r"the label map holds -1, 9: .*reduce_zero_label"),
        (np.full((2, 3), 255), np.full((2, 3), 7), r"the prediction holds 7: .*num_classes=4"),
        (np.zeros((2, 3)), np.full((2, 3), -1), r"the prediction holds -1: .*num_classes=4"),
        (np.zeros((2, 3, 3)), np.zeros((2, 3)), r"shape \(2, 3, 3\), expected \(height, width\): color files"),
        (np.zeros((2, 3)), np.zeros((3, 2)), r"shape \(2, 3\) and the prediction \(3, 2\)"),
    ],
)
def test_bad_maps(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        measure_image(truth.astype(np.int64), prediction.astype(np.int64), classes=CLASSES)
