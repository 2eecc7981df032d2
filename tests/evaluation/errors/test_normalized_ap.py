from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.errors.normalized_ap import normal_objects, normalized_ap, normalized_precision

OUTCOMES = st.lists(st.sampled_from([1, 0, -1]), max_size=30)


def test_by_hand() -> None:
    # R = 1/4, F = 0: 1; R = 1/4, F = 1: 2.0/(2.0+1); R = 2/4, F = 1: 4/5, which also stands at the place before.
    precision = normalized_precision([1, -1, 1], objects=4, normal_objects=8)
    assert precision.tolist() == pytest.approx([1.0, 0.8, 0.8])
    assert normalized_ap([1, -1, 1], objects=4, normal_objects=8) == pytest.approx((1.0 + 0.8) / 4)


def test_without_objects_there_is_no_ap() -> None:
    assert np.isnan(normalized_ap([-1, -1], 0, 5))
    assert normalized_precision([-1, -1], 0, 5).tolist() == [0, 0]
    assert normalized_ap([], 3, 5) == 0


@given(OUTCOMES, st.integers(0, 5), st.floats(0.5, 50))
def test_properties(outcome: list[int], unfound: int, normal: float) -> None:
    objects = outcome.count(1) + unfound
    precision = normalized_precision(outcome, objects, normal)
    assert (np.diff(precision) <= 1e-12).all() and (precision >= 0).all() and (precision <= 1).all()
    if objects:
        ap = normalized_ap(outcome, objects, normal)
        assert 0 <= ap <= outcome.count(1) / objects + 1e-12
        assert ap == normalized_ap([o for o in outcome if o], objects, normal)  # what does not count changes nothing


@given(OUTCOMES)
def test_as_many_normal_objects_as_objects_is_plain_precision(outcome: list[int]) -> None:
    objects = max(outcome.count(1), 1)
    counted = [o for o in outcome if o]
    plain = [counted[: i + 1].count(1) / (i + 1) for i in range(len(counted))]
    expected = [max(plain[i:]) for i in range(len(plain))]
    assert normalized_precision(counted, objects, objects).tolist() == pytest.approx(expected)


def test_crowded_data_are_normalized_to_their_own_mean() -> None:
    voc = np.full(20, 600)
    assert normal_objects(voc, images=4952) == 0.15 * 4952, "Hoiem's value, where the data have no more"
    assert normal_objects([3426], images=60) == 3426 and normal_objects([3000, 0, 1000], images=60) == 2000
    assert normal_objects([3426], images=60, per_image=0.15) == 9
    assert normal_objects([0, 0], images=10) == 1.5 and normal_objects([], images=10) == 1.5
