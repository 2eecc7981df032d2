"""Worked examples of negative chips, computed with the original's code; counts are per scale, finest first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.negative_mining import mine_negatives
from mmdetpre.chips.negative_settings import NegativeSettings

GT = [[100, 100, 139, 139]]
GRID = [[560 + 6 * a, 400 + 6 * b, 579 + 6 * a, 419 + 6 * b] for a in range(6) for b in range(6)]


def negatives(gt, proposals, settings, seed=0, size=(640, 480), **options):
    """(scale, count) of each negative chip, and the chips."""
    data = [size], [0, len(gt)], gt
    chips = mine_chips(*data, settings, seed=seed)
    rows = [[0, len(proposals)]]
    found = mine_negatives(*data, chips, rows, proposals, settings, NegativeSettings(**options), seed=seed)
    return list(zip(found.chips.scale.tolist(), found.counts.tolist(), strict=True)), found.chips


def strides(settings):
    return [replace(settings, strides=(t, t)) for t in range(56, 60)]


# Sizes are x2 - x1 in the original and here, so half-open boxes change no count.
@pytest.mark.parametrize("n", [10, 11, 20, 25, 26, 30])
def test_far_proposals(n, voc_settings):
    expected = [(1, n)] if n > 10 else []
    if n > 25:
        expected.insert(0, (0, n))
    for settings in strides(voc_settings):
        assert negatives(GT, GRID[:n], settings)[0] == expected


@pytest.mark.parametrize("n", [10, 11, 12])
def test_large_proposals(n, voc_settings):
    proposals = [[10 * i, 5 * i, 10 * i + 200, 5 * i + 200] for i in range(n)]
    for settings in strides(voc_settings):
        found, chips = negatives(GT, proposals, settings)
        assert found == ([(2, n)] if n > 10 else [])
        assert chips.size.tolist() == [[512, 384]] * len(found)
        assert negatives([*GT, [200, 200, 400, 400]], proposals, settings)[0] == []


def test_ground_truth_alone(voc_settings):
    for settings in strides(voc_settings):
        found, chips = negatives(GRID[:12], [], settings)
        assert found == [(1, 12)] and chips.valid_of(0).tolist() == list(range(12))
        assert negatives(GRID[:12], [], settings, neg_exclude_gt=True)[0] == []


def test_partly_shown_proposals_are_covered(voc_settings):
    proposals = [[135 + i, 105, 235 + i, 125] for i in range(30)]
    for settings in strides(voc_settings):
        for seed in range(10):
            assert negatives(GT, proposals, settings, seed)[0] == []


def test_one_scale_is_the_finest(voc_settings):
    one = replace(voc_settings, scales=[(-1, 512)], valid_ranges=[(120, -1)])
    proposals = [[10 * i, 5 * i, 10 * i + 200, 5 * i + 200] for i in range(26)]
    assert negatives(GT, proposals[:25], one)[0] == []
    assert negatives(GT, proposals, one)[0] == [(0, 26)]


def test_lot_draws_every_pair_equally_often(voc_settings):
    corners = [(0, 0), (600, 0), (0, 440), (600, 440)]
    proposals = [[x + i % 5, y + i // 5, x + i % 5 + 20, y + i // 5 + 20] for x, y in corners for i in range(20)]
    gt = [[310, 230, 330, 250]]
    settings = replace(voc_settings, scales=[(1400, 2000), (-1, 512)], valid_ranges=[(-1, 80), (120, -1)])
    seen: dict = {}
    count = 1200
    sizes, offsets, boxes = [(640, 480)] * count, np.arange(count + 1), gt * count
    rows = [[0, len(proposals)]] * count
    chips = mine_chips(sizes, offsets, boxes, settings)
    found = mine_negatives(
        sizes, offsets, boxes, chips, rows, proposals, settings, NegativeSettings(finest_threshold=10)
    )
    assert len(found.counts) == 2 * count
    for n in range(count):
        pair = found.chips.origin[found.chips.image == n] > 600
        key = tuple(map(tuple, pair.tolist()))
        seen[tuple(sorted(key))] = seen.get(tuple(sorted(key)), 0) + 1
    assert len(seen) == 6
    assert all(abs(times - count / 6) < 5 * np.sqrt(count / 6) for times in seen.values())
