"""Worked examples, computed with the original's chip code; counts are (finest, intermediate, coarsest)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mmdetpre.chips.mining import mine_image
from mmdetpre.chips.settings import COVERS


def chips_per_scale(boxes, settings, size=(640, 480), **kwargs):
    return tuple(np.bincount(mine_image(size, boxes, settings, **kwargs).scale, minlength=3).tolist())


def strides(settings):
    return [replace(settings, strides=(t, t), cover=cover) for t in range(56, 60) for cover in COVERS]


def test_each_scale_takes_its_boxes(voc_settings):
    for settings in strides(voc_settings):
        table = mine_image((640, 480), [[10, 10, 49, 39], [300, 200, 379, 299], [50, 60, 449, 419]], settings)
        assert table.scale.tolist() == [0, 1, 1, 2]
        valid = [table.valid_of(i).tolist() for i in range(4)]
        assert valid[0] == [0] and sorted(valid[1:3]) == [[0], [1]] and valid[3] == [2]
        assert table.size.tolist() == [[512, 512]] * 3 + [[512, 384]]


@pytest.mark.parametrize(
    "side, counts",
    [
        (31, (1, 0, 0)),
        (32, (1, 1, 0)),
        (79, (1, 1, 0)),
        (80, (0, 1, 0)),
        (119, (0, 1, 0)),
        (120, (0, 1, 1)),
        (149, (0, 1, 1)),
        (150, (0, 0, 1)),
        (1, (0, 0, 0)),
    ],
)
def test_edges_of_the_valid_ranges(side, counts, voc_settings):
    # Sizes are x2 - x1 in the original and here, so half-open boxes change no count. The 1-pixel box is too thin
    # for the finest scale and not an orphan: rescue_orphans leaves it out.
    for settings in strides(voc_settings):
        assert chips_per_scale([[100, 100, 100 + side, 100 + side]], settings) == counts


def test_whole_image_is_one_coarsest_chip(voc_settings):
    assert chips_per_scale([[0, 0, 640, 480]], voc_settings) == (0, 0, 1)


def test_longer_side_limit_depends_on_the_stride(voc_settings):
    counts = [chips_per_scale([[100, 100, 255, 130]], settings) for settings in strides(voc_settings)]
    assert counts == [(1, 1, 0)] * 6 + [(0, 1, 0)] * 2
    assert {chips_per_scale([[20, 200, 219, 215]], settings) for settings in strides(voc_settings)} == {(0, 1, 0)}


def test_orphan_is_lost_unless_rescued(voc_settings):
    orphan = [[20, 200, 320, 240]]
    for settings in strides(voc_settings):
        assert chips_per_scale(orphan, replace(settings, rescue_orphans=False)) == (0, 0, 0)
        assert chips_per_scale(orphan, settings) == (0, 0, 1)
    assert mine_image((640, 480), orphan, voc_settings).valid_of(0).tolist() == [0]


def test_far_boxes_need_two_chips(voc_settings):
    assert chips_per_scale([[10, 10, 29, 29], [600, 450, 629, 469]], voc_settings) == (2, 0, 0)


def test_greedy_takes_the_fullest_chip_first(voc_settings):
    boxes = [[10 + 12 * i, 10 + 12 * i, 29 + 12 * i, 29 + 12 * i] for i in range(5)]
    boxes += [[560 + 15 * i, 430, 575 + 15 * i, 445] for i in range(3)]
    boxes += [[600, 10, 619, 29]]
    for seed, cover in product(range(10), COVERS):
        table = mine_image((640, 480), boxes, replace(voc_settings, cover=cover), seed=seed)
        assert table.scale.tolist() == [0, 0, 0]
        assert [table.valid_of(i).tolist() for i in range(3)] == [[0, 1, 2, 3, 4], [5, 6, 7], [8]]


def test_voc_like_image(voc_settings):
    boxes = [[48, 240, 195, 371], [8, 12, 352, 368]]
    assert chips_per_scale(boxes, voc_settings, size=(500, 375)) == (0, 1, 1)
    table = mine_image((500, 375), boxes, voc_settings)
    assert [table.valid_of(i).tolist() for i in range(2)] == [[0], [0, 1]]


def test_chips_are_never_a_pixel_longer_than_asked(voc_settings):
    # The original's corner and edge chips have 513 pixels.
    settings = replace(voc_settings, strides=(56, 56))
    table = mine_image((640, 480), [[600, 440, 639, 479], [2, 440, 30, 479]], settings)
    assert table.size[table.scale < 2].tolist() == [[512, 512]] * int((table.scale < 2).sum())


def test_openimages_ranges_and_long_boxes(openimages_settings):
    # 460 pixels long: too long for a 512-pixel chip on the stride grid, of size 215: rescued by the coarsest scale.
    boxes = [[10, 10, 49, 39], [300, 200, 579, 479], [50, 60, 849, 719], [100, 100, 560, 200]]
    for settings in strides(openimages_settings):
        table = mine_image((1024, 768), boxes, settings)
        assert table.scale.tolist().count(1) == 1
        assert table.valid_of(len(table) - 1).tolist() == [1, 2, 3]
