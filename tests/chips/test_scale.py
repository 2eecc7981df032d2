from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.chips.scale import scale_factor, scale_factors, scaled_size, scaled_sizes

VOC = [(1400, 2000), (800, 1280), (-1, 512)]


@pytest.mark.parametrize(
    "size, factors, scaled",
    [
        ((640, 480), (2.916667, 1.666667, 0.8), ((1866, 1400), (1066, 800), (512, 384))),
        ((500, 375), (3.733333, 2.133333, 1.024), ((1866, 1400), (1066, 800), (512, 384))),
        ((1024, 400), (1.953125, 1.25, 0.5), ((2000, 781), (1280, 500), (512, 200))),
        ((1024, 683), (1.953125, 1.171303, 0.5), ((2000, 1333), (1199, 800), (512, 341))),
    ],
)
def test_three_scales_of_voc(size, factors, scaled):
    assert [scale_factor(*size, scale) for scale in VOC] == pytest.approx(factors, abs=1e-6)
    assert tuple(scaled_size(*size, scale_factor(*size, scale)) for scale in VOC) == scaled


@pytest.mark.parametrize(
    "size, factors",
    [((1024, 768), (1, 0.5)), ((640, 480), (1.6, 0.8)), ((1024, 1024), (0.75, 0.46875)), ((1024, 683), (1, 0.5))],
)
def test_two_scales_of_openimages(size, factors):
    assert [scale_factor(*size, scale) for scale in [(768, 1024), (480, 512)]] == pytest.approx(factors)


@given(st.integers(1, 6000))
def test_longer_side_meets_its_target_exactly(width):
    # Plain truncation loses a pixel for 286 of the widths up to 3000, such as 374, 347 and 412.
    assert scaled_size(width, 1, scale_factor(width, 1, (-1, 512)))[0] == 512


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_arrays_equal_single_images(width, height):
    scales = [*VOC, (800, -1), (480, 512)]
    factors = scale_factors([[width, height]], scales)
    assert factors[0].tolist() == [scale_factor(width, height, scale) for scale in scales]
    sizes = scaled_sizes(np.array([[width, height]], dtype=np.int32), factors)
    assert [tuple(row) for row in sizes[0].tolist()] == [scaled_size(width, height, s) for s in factors[0]]
    assert sizes.min() >= 1
