from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.chips import selection
from mmdetpre.chips.selection import select_boxes
from mmdetpre.chips.settings import ChipSettings


def select(boxes, settings, **kwargs):
    return select_boxes([[640, 480]], [0, len(boxes)], boxes, settings, **kwargs)


def test_ranges_and_sides(voc_settings):
    boxes = [
        [0, 0, 31, 31],  # finest only
        [0, 0, 79, 79],  # finest and intermediate
        [0, 0, 150, 150],  # coarsest only
        [0, 0, 300, 40],  # too long for the intermediate scale, too small for the coarsest
        [0, 0, 1.5, 30],  # too thin for anything
        [-50, -50, 30, 30],  # clipped to 30 x 30
    ]
    selected, orphan = select(boxes, voc_settings)
    assert selected.astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert orphan.tolist() == [False, False, False, True, False, False]


def test_a_box_below_every_range_is_no_orphan():
    settings = ChipSettings([(-1, 512)], [(32, -1)])
    selected, orphan = select([[0, 0, 20, 20], [0, 0, 300, 2]], settings)
    assert not selected.any() and not orphan.any()


def test_largest_stride_is_the_default(voc_settings):
    box = [[100, 100, 255, 130]]
    assert select(box, voc_settings).selected.tolist() == select(box, voc_settings, stride=59).selected.tolist()
    assert select(box, voc_settings, stride=56).selected[0, 0] and not select(box, voc_settings).selected[0, 0]


def test_ignored_boxes_and_ranges_of_images(voc_settings, monkeypatch):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 400, size=(50, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 200, size=(50, 2))], axis=1)
    sizes, offsets, ignore = [[640, 480]] * 10, np.arange(11) * 5, rng.uniform(size=50) < 0.3
    whole = select_boxes(sizes, offsets, boxes, voc_settings, ignore=ignore)
    assert not whole.selected[ignore].any()
    monkeypatch.setattr(selection, "_IMAGES_AT_ONCE", 3)
    parts = select_boxes(sizes, offsets, boxes, voc_settings, ignore=ignore)
    np.testing.assert_array_equal(whole.selected, parts.selected)
    with pytest.raises(ValueError, match="finite"):
        select([[0, 0, np.nan, 5]], voc_settings)
