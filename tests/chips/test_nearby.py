from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdetpre.chips.coverage import coverage_report
from mmdetpre.chips.nearby import PROPOSED, nearby_settings
from mmdetpre.chips.proposal import propose_settings


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([128, 256, 512]), st.floats(0.02, 0.9), st.integers(1, 12))
def test_all_differ_cover_every_box_and_the_proposed_is_first(seed, chip_size, largest, count):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(200, 2000, size=(10, 2))
    extent = np.repeat(sizes, 3, axis=0)
    sides = np.maximum(rng.uniform(0.01, largest, size=(30, 1)) * extent, 3)
    corner = rng.uniform(size=extent.shape) * (extent - sides)
    data = sizes, np.arange(11) * 3, np.concatenate([corner, corner + sides], axis=1)
    labels = rng.integers(3, size=30)
    found = nearby_settings(*data, labels=labels, chip_size=chip_size, count=count)
    assert 1 <= len(found) <= count
    assert next(iter(found)) == PROPOSED
    assert found[PROPOSED] == propose_settings(*data, labels=labels, chip_size=chip_size)
    assert len(set(found.values())) == len(found)
    assert all(coverage_report(*data, settings).valid_nowhere == 0 for settings in found.values())


def test_objects_of_medium_size_have_a_finer_scale_to_try() -> None:
    """One scale is proposed, and the search looks whether a second one helps."""
    found = nearby_settings([[640, 480]], [0, 1], [[0, 0, 150, 150]], chip_size=128)
    assert len(found[PROPOSED].scales) == 1 and len(found["finer"].scales) == 2
    assert {settings.chip_size for settings in found.values()} == {96, 128, 192}


def test_the_order_does_not_depend_on_how_many() -> None:
    """What was tried in a search of few is found again in one of more."""
    data = [[640, 480]], [0, 2], [[0, 0, 30, 30], [100, 100, 200, 200]]
    most = nearby_settings(*data, labels=[0, 1], chip_size=128)
    assert len(most) >= 6
    for count in range(1, len(most)):
        few = nearby_settings(*data, labels=[0, 1], chip_size=128, count=count)
        assert list(few.items()) == list(most.items())[:count]


def test_no_box() -> None:
    with pytest.raises(ValueError, match="None of the 0 boxes is usable"):
        nearby_settings([[640, 480]], [0, 0], np.zeros((0, 4)))
