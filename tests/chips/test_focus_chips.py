"""Rectangles of AutoFocus: worked examples of the original, and what holds for every map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdetpre.chips.focus_chips import (
    MOST_PADDING,
    FocusSettings,
    batches_by_size,
    focus_rectangles,
    joined,
    near_inner_edge,
    to_next_scale,
)

many = hypothesis_settings(max_examples=60)


def cells(shape, *focus):
    probability = np.zeros(shape)
    for row, column in focus:
        probability[row, column] = 0.9
    return probability


def touch(first, second):
    return bool((first[:2] <= second[2:]).all() and (second[:2] <= first[2:]).all())


@st.composite
def maps(draw):
    """Maps with a few focus cells, and settings."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = rng.integers(1, 40, size=2)
    probability = np.where(rng.uniform(size=shape) < rng.choice([0.005, 0.02, 0.1]), rng.uniform(size=shape), 0)
    return probability, FocusSettings(0.4, int(rng.choice([1, 3, 5])), int(rng.integers(1, 20)))


def test_example_1_grows_to_the_least_side():
    (rectangle,) = focus_rectangles(cells((10, 20), (4, 7)), FocusSettings(0.5, 3, 4))
    assert (rectangle[2:] - rectangle[:2]).tolist() == [4, 4]
    assert (rectangle[:2] <= [6, 3]).all() and (rectangle[2:] >= [9, 6]).all()


def test_example_2_a_small_map_is_taken_whole():
    assert focus_rectangles(cells((10, 8), (4, 7)), FocusSettings(0.5, 3, 16)).tolist() == [[0, 0, 8, 10]]


def test_example_3_rectangles_that_touch_become_one():
    (rectangle,) = focus_rectangles(cells((10, 20), (5, 3), (5, 12)), FocusSettings(0.5, 3, 8))
    assert rectangle.tolist() == [0, 1, 16, 9]
    assert len(focus_rectangles(cells((10, 20), (5, 3), (5, 15)), FocusSettings(0.5, 3, 8))) == 2


def test_example_6_detections_at_an_inner_edge_are_dropped():
    box = np.array([[100, 100, 140, 140]])
    assert near_inner_edge(box, (95, 0, 400, 300), (640, 480), 10).tolist() == [True]
    assert near_inner_edge(box, (0, 0, 400, 300), (640, 480), 10).tolist() == [False]
    at_border = np.array([[600, 300, 640, 400], [300, 200, 400, 299.0]])
    assert near_inner_edge(at_border, (200, 100, 640, 480), (640, 480), 10).tolist() == [False, False]
    assert near_inner_edge(at_border, (200, 100, 640, 300), (640, 480), 10).tolist() == [False, True]
    assert near_inner_edge(np.zeros((0, 4)), (0, 0, 9, 9), (640, 480), 10).tolist() == []


def test_no_focus_no_rectangle_and_threshold_0_takes_all():
    assert focus_rectangles(np.zeros((7, 9)), FocusSettings(0.01)).shape == (0, 4)
    assert to_next_scale(np.zeros((0, 4), np.int64), 16, (64, 64), (96, 96)).shape == (0, 4)
    assert focus_rectangles(np.zeros((7, 9)), FocusSettings(0)).tolist() == [[0, 0, 9, 7]]
    assert to_next_scale(np.array([[0, 0, 9, 7]]), 16, (130, 100), (301, 240)).tolist() == [[0, 0, 301, 240]]


@many
@given(maps())
def test_rectangles_hold_the_focus_stay_inside_and_apart(drawn):
    probability, settings = drawn
    found = focus_rectangles(probability, settings)
    height, width = probability.shape
    owners = np.zeros(probability.shape, int)
    for x1, y1, x2, y2 in found:
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        assert x2 - x1 >= min(settings.min_side, width) and y2 - y1 >= min(settings.min_side, height)
        owners[y1:y2, x1:x2] += 1
    assert (owners[probability >= settings.threshold] == 1).all() and owners.max(initial=0) <= 1
    assert not any(touch(found[i], found[k]) for i in range(len(found)) for k in range(i))
    np.testing.assert_array_equal(joined(found), found)


@many
@given(maps(), st.integers(0, 2**32 - 1))
def test_a_cell_within_what_is_found_adds_no_rectangle(drawn, seed):
    """Within the bounds of dilated cells that hang together: these stay, so nothing moves away from its neighbor."""
    probability, settings = drawn
    tight = focus_rectangles(probability, FocusSettings(settings.threshold, settings.dilation, 1))
    inside = np.zeros(probability.shape, bool)
    reach = settings.dilation // 2
    for x1, y1, x2, y2 in tight:  # the square of the new cell stays within
        inside[y1 + reach : y2 - reach, x1 + reach : x2 - reach] = True
    candidates = np.argwhere(inside)
    if not len(candidates):
        return
    before = focus_rectangles(probability, settings)
    row, column = candidates[np.random.default_rng(seed).integers(len(candidates))]
    more = probability.copy()
    more[row, column] = 1.0
    assert len(focus_rectangles(more, settings)) <= len(before)


@many
@given(maps(), st.integers(8, 16), st.floats(1.0, 4.0))
def test_at_the_next_scale_they_hold_the_same_places_on_whole_cells(drawn, stride, ratio):
    probability, settings = drawn
    found = focus_rectangles(probability, settings)
    height, width = probability.shape
    size = (width * stride - stride // 2, height * stride)
    next_size = (round(size[0] * ratio), round(size[1] * ratio))
    moved = to_next_scale(found, stride, size, next_size)
    scale = np.array(next_size * 2) / np.array(size * 2)
    for rectangle in np.minimum(found * stride, size * 2) * scale:
        assert ((moved[:, :2] <= rectangle[:2] + 1e-3) & (moved[:, 2:] >= rectangle[2:] - 1e-3)).all(axis=1).sum() == 1
    assert (moved >= 0).all() and (moved <= next_size * 2).all()
    assert ((moved % stride == 0) | (moved == next_size * 2)).all()


@many
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), max_size=20), st.integers(1, 400_000))
def test_batches_hold_each_rectangle_once_with_little_padding(sizes, most):
    sizes = np.array(sizes, dtype=int).reshape(-1, 2)
    batches = batches_by_size(sizes, most)
    assert sorted(index for batch in batches for index in batch) == list(range(len(sizes)))
    for batch in batches:
        padded = len(batch) * sizes[batch].max(axis=0).prod()
        assert len(batch) == 1 or padded <= min(most, MOST_PADDING * sizes[batch].prod(axis=1).sum())


def test_equal_rectangles_pass_together():
    assert len(batches_by_size(np.full((6, 2), 64), 6 * 64 * 64)) == 1


@pytest.mark.parametrize(
    "wrong", [dict(threshold=-0.1), dict(threshold=0.1, dilation=2), dict(threshold=0.1, min_side=0)]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{list(wrong)[-1]} "):
        FocusSettings(**wrong)
