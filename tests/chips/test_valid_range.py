from __future__ import annotations

import pytest

from mmdetpre.chips.scale import scale_factor
from mmdetpre.chips.valid_range import chip_valid_range, valid_ranges


@pytest.mark.parametrize(
    "size, expected",
    [
        ((640, 480), [(0, 233.333), (53.333, 250), (96, 512)]),
        ((500, 375), [(0, 298.667), (68.267, 320), (122.88, 512)]),
    ],
)
def test_ranges_in_chip_pixels(size, expected, voc_settings):
    ranges = valid_ranges([size], voc_settings)[0]
    factors = [scale_factor(*size, scale) for scale in voc_settings.scales]
    found = [chip_valid_range(lo, hi, s, 512) for (lo, hi), s in zip(ranges, factors, strict=True)]
    for pair, wanted in zip(found, expected, strict=True):
        assert pair == pytest.approx(wanted, abs=1e-3)


def test_reference_scales_ranges_and_keeps_open_ends(openimages_settings):
    ranges = valid_ranges([[1024, 768], [400, 512]], openimages_settings)
    assert ranges.tolist() == [[[-1, 300], [240, -1]], [[-1, 150], [120, -1]]]
