from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from mmdetpre.evaluation.trimap import counts as trimap
from mmdetpre.evaluation.trimap.counts import boundary_distance, check_widths, count_image, region_scores

VOID, CLASSES = 255, 4


def brute_force(truth, prediction, widths, classes, boundary):
    """Dilate and count once per width; no distances anywhere."""
    square = np.ones((3, 3), bool)
    for width in widths:
        if boundary == "void":
            band = ndimage.binary_dilation(truth == VOID, square, iterations=width)
        else:
            band = np.zeros(truth.shape, bool)
            for label in np.unique(truth):  # what lies in the dilation of another label than its own
                band |= ndimage.binary_dilation(truth != label, square, iterations=width) & (truth == label)
        scored = truth != VOID
        yield tuple(
            np.bincount(
                truth[part & scored].astype(int) * classes + prediction[part & scored], minlength=classes * classes
            ).reshape(classes, classes)
            for part in (band, ~band)
        )


def assert_equals_brute_force(truth, prediction, widths, classes, boundary):
    counts = count_image(truth, prediction, classes=classes, widths=widths, boundary=boundary, ignore_index=VOID)
    inside, outside = counts.inside(), counts.outside()
    for i, (band, rest) in enumerate(brute_force(truth, prediction, widths, classes, boundary)):
        np.testing.assert_array_equal(inside[i], band)
        np.testing.assert_array_equal(outside[i], rest)
        np.testing.assert_array_equal(counts.whole(), band + rest)


shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
width_lists = st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True).map(sorted)


@st.composite
def maps(draw) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    few = draw(st.sampled_from([[0, 1, VOID], [0, 1, 2, 3], [0] * 30 + [1, VOID], [2, VOID]]))
    truth = draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from(few), fill=st.just(few[0])))
    return truth, draw(arrays.arrays(np.int64, shape, elements=st.integers(0, CLASSES - 1)))


@pytest.mark.parametrize("boundary", ["void", "label"])
@given(maps(), width_lists)
def test_one_pass_is_brute_force_on_random_maps(boundary, both, widths):
    assert_equals_brute_force(*both, widths, CLASSES, boundary)


def voc_maps(shared_data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Real label maps, and as a prediction each of them moved, without void."""
    files = sorted((shared_data / "voc2012/VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))
    assert len(files) == 62
    for i, file in enumerate(files):
        truth = np.array(Image.open(file))
        moved = np.roll(truth, (i % 5 - 2, 3), (0, 1))
        yield truth, np.where(moved == VOID, i % 21, moved)


@pytest.mark.parametrize("boundary", ["void", "label"])
def test_one_pass_is_brute_force_on_voc(shared_data, boundary):
    for truth, prediction in voc_maps(shared_data):
        assert_equals_brute_force(truth, prediction, (1, 3, 10, 600), 21, boundary)


@given(maps(), maps(), width_lists)
def test_parts_of_a_data_set_are_added(first, second, widths):
    counts = [count_image(*both, classes=CLASSES, widths=widths) for both in (first, second)]
    total = counts[0] + counts[1]
    assert total.images == 2
    assert total.without_boundary == sum(not (truth == VOID).any() for truth, _ in (first, second))
    np.testing.assert_array_equal(total.inside(), counts[0].inside() + counts[1].inside())
    with pytest.raises(ValueError, match="other widths"):
        total + count_image(*first, classes=CLASSES, widths=[*widths, 31])


def test_distances_begin_at_one_on_both_sides_of_a_border():
    void = np.array([[0, 0, VOID, 1, 1, 1]])
    assert boundary_distance(void).tolist() == [[2, 1, 0, 1, 2, 3]]
    assert boundary_distance(void, boundary="label").tolist() == [[2, 1, 1, 1, 2, 3]]
    corner = np.zeros((4, 4), np.uint8)
    corner[0, 0] = 7
    assert boundary_distance(corner, boundary="label").max() == 3  # a square, not a disc or a diamond
    assert boundary_distance(corner) is None and boundary_distance(np.zeros((3, 3)), boundary="label") is None
    with pytest.raises(ValueError, match="boundary is 'edge': choose one of void, label"):
        boundary_distance(corner, boundary="edge")


def test_wide_maps_are_measured_exactly():
    truth = np.zeros((2, 9000), np.uint8)
    truth[:, 0] = VOID
    counts = count_image(truth, truth * 0, classes=1, widths=(8189, trimap.MAX_WIDTH))
    assert counts.inside()[:, 0, 0].tolist() == [2 * 8189, 2 * 8190] and counts.whole()[0, 0] == 2 * 8999


def test_scores_count_the_classes_that_are_there():
    scores = region_scores(np.array([[[3, 1, 0], [0, 4, 0], [0, 0, 0]], np.zeros((3, 3), int)]))
    assert scores.pixels.tolist() == [8, 0] and scores.class_pixels.tolist() == [[4, 4, 0], [0, 0, 0]]
    np.testing.assert_allclose(scores.iou[0], [0.75, 0.8, np.nan])
    np.testing.assert_allclose(scores.class_accuracy[0], [0.75, 1, np.nan])
    np.testing.assert_allclose(scores.mean_iou, [0.775, np.nan])
    np.testing.assert_allclose(scores.mean_accuracy, [0.875, np.nan])
    np.testing.assert_allclose(scores.accuracy, [0.875, np.nan])


@pytest.mark.parametrize(
    "widths",
    [[], [2, 1], [1, 1], [-1, 2], [0, 1], [1.5], [True], ["3"], [float("inf")], [trimap.MAX_WIDTH + 1], 5, "12", None],
)
def test_bad_widths(widths):
    with pytest.raises(ValueError, match="expected a list of rising whole numbers of pixels from 1 to 8190"):
        check_widths(widths)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.full((2, 3), 4), np.zeros((2, 3)), r"the label map holds 4: expected are 0 to 3.*255 for void"),
        (np.array([[-1, 0, 9]]), np.zeros((1, 3)), r"the label map holds -1, 9: .*reduce_zero_label"),
        (np.zeros((2, 3)), np.full((2, 3), 7), r"the prediction holds 7: .*num_classes=4"),
        (np.zeros((2, 3, 3)), np.zeros((2, 3)), r"shape \(2, 3, 3\), expected \(height, width\): color files"),
        (np.zeros((2, 3)), np.zeros((3, 2)), r"shape \(2, 3\) and the prediction \(3, 2\)"),
    ],
)
def test_bad_maps(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        count_image(truth.astype(np.int64), prediction.astype(np.int64), classes=CLASSES, widths=[1])
