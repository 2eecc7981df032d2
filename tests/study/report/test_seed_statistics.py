"""Mean, spread and Welch's interval over seeds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_ind

from mmdetpre.study.report.seed_statistics import Difference, difference, spread

VALUES = st.lists(st.floats(0, 100).map(lambda value: round(value, 2)), min_size=2, max_size=6)


def test_mean_and_deviation_by_hand() -> None:
    found = spread([60.0, 62.0, 67.0])
    assert found.mean == pytest.approx(63) and found.deviation == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert found.count == 3
    assert spread([60.0]) == spread((60.0,)) and spread([60.0]).deviation is None and spread([60.0]).count == 1
    with pytest.raises(ValueError, match="no value"):
        spread([])


def test_welch_interval_by_hand() -> None:
    # variances 4 and 1 over 3 and 4 seeds: standard error sqrt(4/3 + 1/4)
    first, second = [62.0, 64.0, 66.0], [50.0, 51.0, 51.0, 52.0]
    a, b = 4 / 3, (2 / 3) / 4
    freedom = (a + b) ** 2 / (a**2 / 2 + b**2 / 3)
    half = t.ppf(0.975, freedom) * math.sqrt(a + b)
    found = difference(first, second)
    assert found.value == pytest.approx(13) and found.counts == (3, 4) and found.why_no_interval == ""
    assert (found.low, found.high) == (pytest.approx(13 - half), pytest.approx(13 + half))
    assert found.direction == 1


@pytest.mark.parametrize("first", [[62.0, 64.0, 66.0], [50.4, 50.5, 50.5], [1.0, 99.0]])
def test_welch_interval_is_that_of_scipy(first: list[float]) -> None:
    second = [50.0, 51.5, 51.0, 52.0]
    found, other = difference(first, second), ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(other.low), pytest.approx(other.high))


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([60.0], [50.0], "one seed"),
        ([60.0, 61.0], [50.0], "one side has one seed"),
        ([60.0], [50.0, 51.0], "one side has one seed"),
        ([60.0, 60.0], [50.0, 50.0, 50.0], "the seeds do not differ at all"),
    ],
)
def test_no_interval_where_there_is_no_spread(first: list[float], second: list[float], why: str) -> None:
    found = difference(first, second)
    assert found.value == pytest.approx(10, abs=1) and found.low is None and found.high is None
    assert found.why_no_interval == why and found.direction is None


def test_direction() -> None:
    assert [Difference(0, low, high, (3, 3)).direction for low, high in ((1, 2), (-2, -1), (-1, 1), (0, 1))] == [
        1,
        -1,
        0,
        0,
    ]


@given(VALUES, VALUES)
def test_interval_is_around_the_difference_and_turns_round_with_it(first: list[float], second: list[float]) -> None:
    found, turned = difference(first, second), difference(second, first)
    assert found.value == pytest.approx(-turned.value, abs=1e-9)
    if found.low is None:
        assert len(set(first)) == len(set(second)) == 1
        return
    assert found.low <= found.value <= found.high
    assert found.low + found.high == pytest.approx(2 * found.value, abs=1e-6)
    assert (found.low, found.high) == (pytest.approx(-turned.high, abs=1e-6), pytest.approx(-turned.low, abs=1e-6))
