from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.chips.class_sizes import class_size_table, class_sizes
from mmdetpre.chips.settings import ChipSettings

SETTINGS = ChipSettings([(-1, 512), (-1, 128)], [(-1, 60), (48, -1)], chip_size=128, strides=(14, 15))
SIZES = [[640, 480], [320, 240]]
OFFSETS = [0, 3, 5]
BOXES = [
    [0, 0, 30, 30],  # finest, x 0.8
    [100, 100, 200, 200],  # coarsest, x 0.2
    [0, 0, 640, 30],  # too long for a chip of the finest scale
    [0, 0, 10, 10],  # finest, x 1.6
    [0, 0, 0.5, 10],  # below 1 pixel
]
LABELS = [0, 1, 2, 0, 1]
CLASSES = ["platelet", "cell", "strip", "unseen"]


def test_a_box_counts_at_the_finest_scale_that_selects_it() -> None:
    platelet, cell, strip = class_sizes(SIZES, OFFSETS, BOXES, LABELS, SETTINGS, CLASSES)
    assert (platelet.boxes, platelet.pixels, platelet.network_pixels) == (2, 20, 20)  # 24 and 16
    assert (platelet.enlargement, platelet.small_share) == (pytest.approx(1.2), 0)
    assert (cell.boxes, cell.network_pixels) == (1, 20)
    # An orphan: the coarsest scale takes it.
    assert strip.network_pixels == pytest.approx(0.2 * np.sqrt(640 * 30)) and strip.warning is None
    assert class_sizes(SIZES, OFFSETS, BOXES, LABELS, SETTINGS, CLASSES, ignore=[True] * 5) == ()


def test_the_warning_says_what_would_help() -> None:
    one_scale = ChipSettings([(-1, 128)], [(-1, -1)], chip_size=128, strides=(14, 15))
    platelet, _, _ = class_sizes(SIZES, OFFSETS, BOXES, LABELS, one_scale, CLASSES)
    assert (platelet.network_pixels, platelet.small_share) == (5, 1)
    assert "Half of the boxes of platelet have 5 pixels or fewer" in str(platelet.warning)
    assert "Add a finer scale" in str(platelet.warning)
    (speck,) = class_sizes([[640, 480]], [0, 1], [[0, 0, 4, 4]], [0], fine(), ["speck"])
    assert speck.network_pixels == 12 and "enlarged 3.0 times already: photos with more pixels" in str(speck.warning)


def fine() -> ChipSettings:
    return ChipSettings([(-1, 1920), (-1, 512)], [(-1, 60), (48, -1)])


def test_labels_of_another_length() -> None:
    with pytest.raises(ValueError, match=r"labels has shape \(2,\): expected \(5,\)"):
        class_sizes(SIZES, OFFSETS, BOXES, [0, 1], SETTINGS, CLASSES)


def test_the_table_shows_the_smallest_first() -> None:
    rows = class_sizes(SIZES, OFFSETS, BOXES, LABELS, SETTINGS, CLASSES)
    assert [line.split()[0] for line in class_size_table(rows).splitlines()[2:]] == ["platelet", "cell", "strip"]
    assert class_size_table(rows * 10).endswith("(10 more classes, larger ones)")
