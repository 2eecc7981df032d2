"""Settings that several chip tests share."""

from __future__ import annotations

import pytest

from mmdetpre.chips.settings import ChipSettings


@pytest.fixture
def voc_settings() -> ChipSettings:
    """The three training scales of COCO and VOC."""
    return ChipSettings([(1400, 2000), (800, 1280), (-1, 512)], [(-1, 80), (32, 150), (120, -1)])


@pytest.fixture
def openimages_settings() -> ChipSettings:
    return ChipSettings([(768, 1024), (480, 512)], [(-1, 300), (240, -1)], range_reference=1024)
