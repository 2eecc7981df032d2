from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetpre.sample.shapes import SHAPES, coverage, footprint, posed_contours


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_fills_its_unit_box(shape: str) -> None:
    points = np.concatenate(SHAPES[shape])
    np.testing.assert_allclose(points.min(axis=0), -0.5)
    np.testing.assert_allclose(points.max(axis=0), 0.5)


def test_shapes_are_pairwise_different() -> None:
    masks = {name: coverage(posed_contours(name, (40, 40), 60, 1, 0))[0] >= 128 for name in SHAPES}
    for a in masks:
        for b in masks:
            if a < b:
                iou = (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum()
                assert iou < 0.8, f"{a} and {b} look alike: IoU {iou:.2f}"


def test_disc_and_ring_have_the_area_of_their_formula() -> None:
    for shape, area in (("disc", math.pi * 25**2), ("ring", math.pi * (25**2 - 13.5**2)), ("square", 50**2)):
        alpha, _, _ = coverage(posed_contours(shape, (30, 30), 50, 1, 0))
        assert alpha.sum() / 255 == pytest.approx(area, rel=0.03)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.floats(-30, 90),
    st.floats(-30, 90),
    st.floats(5, 80),
    st.floats(0.7, 1.4),
    st.floats(-180, 180),
)
def test_footprint_lies_in_the_image_and_equals_the_clipped_coverage(
    shape: str, x: float, y: float, size: float, aspect: float, angle: float
) -> None:
    contours = posed_contours(shape, (x, y), size, aspect, angle)
    part = footprint(contours, 64, 48)
    image = np.zeros((48, 64), bool)
    assert image[part.window].shape == part.mask.shape
    image[part.window] = part.mask
    alpha, left, top = coverage(contours)
    rows, columns = np.nonzero(alpha >= 128)
    inside = (rows + top >= 0) & (rows + top < 48) & (columns + left >= 0) & (columns + left < 64)
    expected = np.zeros_like(image)
    expected[rows[inside] + top, columns[inside] + left] = True
    np.testing.assert_array_equal(image, expected)
    assert part.total == len(rows)
