"""Test ranges: the worked example of SNIPER, scaling, and bad input."""

from __future__ import annotations

import pytest
import torch

from mmdetpre.models.size_range import checked_ranges, in_size_range

RANGES = [(-1, 90), (32, 180), (75, -1)]


@pytest.mark.parametrize(
    "box, expected",
    [
        ([10, 10, 100, 100], (True, True, True)),
        ([10, 10, 100.1, 100], (False, True, True)),
        ([10, 10, 42, 42], (True, False, False)),
        ([0, 0, 180, 180], (False, True, True)),
        ([0, 0, 75, 75], (True, True, False)),
        ([0, 0, 76, 75], (True, True, True)),
    ],
)
def test_example_of_sniper(box, expected):
    kept = [bool(in_size_range(torch.tensor([box], dtype=torch.float32), size_range)[0]) for size_range in RANGES]
    assert tuple(kept) == expected


def test_factor_scales_both_ends():
    boxes = torch.tensor([[0.0, 0, 16, 16], [0, 0, 17, 17], [0, 0, 90, 90], [0, 0, 91, 91]])
    assert in_size_range(boxes, (32, 180), 0.5).tolist() == [False, True, True, False]


def test_open_ranges_keep_everything_and_touch_nothing():
    boxes = torch.rand(5, 4)
    assert in_size_range(boxes, (-1, -1)).all() and in_size_range(boxes, (0, 0)).all()
    assert in_size_range(boxes[:0], (10, 20)).shape == (0,)


def test_ranges_are_pairs():
    assert checked_ranges([[-1, 90], (32, 180)]) == ((-1, 90), (32, 180))
    assert checked_ranges(None) is None
    for bad in ([], [90, 180], [(1, 2, 3)]):
        with pytest.raises(ValueError, match="one pair"):
            checked_ranges(bad)
    with pytest.raises(ValueError, match=r"\(180, 90\) is empty"):
        checked_ranges([(180, 90)])
