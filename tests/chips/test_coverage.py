from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.chips.coverage import coverage_report
from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.settings import ChipSettings

SIZES = [[640, 480], [640, 480], [500, 375]]
OFFSETS = [0, 4, 4, 6]
BOXES = [
    [10, 10, 49, 39],  # finest and intermediate
    [50, 60, 449, 419],  # coarsest
    [20, 200, 320, 240],  # orphan
    [10, 10, 10.5, 90],  # below 1 pixel
    [0, 0, 200, 100],  # coarsest
    [0, 0, 90, 90],  # ignored
]
IGNORE = [False] * 5 + [True]


def test_counts(voc_settings):
    report = coverage_report(SIZES, OFFSETS, BOXES, voc_settings, ignore=IGNORE)
    assert (report.images, report.images_with_chips) == (3, 2)
    assert (report.boxes, report.ignored_boxes, report.tiny_boxes) == (6, 1, 1)
    # Box 4 is 200 x 100 in a 500-pixel image: size 141, also in the intermediate range.
    assert (report.valid_nowhere, report.valid_once, report.valid_several) == (0, 2, 2)
    assert (report.orphans, report.orphans_rescued) == (1, True)
    assert [row.chips for row in report.per_scale] == [1, 2, 2]
    assert [row.selected_boxes for row in report.per_scale] == [1, 2, 2]
    assert [row.valid_boxes for row in report.per_scale] == [1, 2, 3]
    assert report.chips == 5 and report.chips_per_image == 2.5
    # Two images at 1066 x 800; five chips, of which the coarsest are 512 x 384.
    assert report.padded_pixels_ratio == pytest.approx(5 * 512**2 / (2 * 1066 * 800))
    assert report.chip_pixels_ratio == pytest.approx((3 * 512**2 + 2 * 512 * 384) / (2 * 1066 * 800))
    assert sum(band.boxes for band in report.per_band) == 4
    assert [sum(column) for column in zip(*(band.valid_per_scale for band in report.per_band), strict=True)] == [
        1,
        2,
        3,
    ]


def test_orphans_are_reported_when_lost(voc_settings):
    report = coverage_report(SIZES, OFFSETS, BOXES, replace(voc_settings, rescue_orphans=False), ignore=IGNORE)
    assert (report.orphans, report.valid_nowhere) == (1, 1)
    assert any("rescue_orphans=True" in text for text in report.warnings)
    assert any("at no scale" in text for text in report.warnings)


def test_empty_scale_and_no_boxes(voc_settings):
    settings = ChipSettings([(1400, 2000), (-1, 512)], [(-1, 8), (6, -1)])
    report = coverage_report(SIZES, OFFSETS, BOXES, settings)
    assert any("Scale (1400, 2000) with valid range (-1, 8) selects no box" in text for text in report.warnings)
    empty = coverage_report([[640, 480]], [0, 0], np.zeros((0, 4)), voc_settings)
    assert "No usable box" in str(empty)


def test_json_table_and_given_chips(voc_settings):
    table = mine_chips(SIZES, OFFSETS, BOXES, voc_settings, seed=4, epoch=2)
    report = coverage_report(SIZES, OFFSETS, BOXES, voc_settings, table=table, seed=4, epoch=2)
    assert report == coverage_report(SIZES, OFFSETS, BOXES, voc_settings, seed=4, epoch=2)
    assert json.loads(json.dumps(report.to_dict()))["per_scale"][0]["scale"] == [1400, 2000]
    text = str(report)
    assert "(1400, 2000)" in text and "128 to 256" in text and "512 and up" in text
