"""Mean, spread, and the interval of a difference: over seeds, over test images, over both."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_ind

from mmdetpre.evaluation.bootstrap.resampled import Resampled, image_counts, resampled_accuracy
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


def sample(values: list[float], digest: str = "a", images: int = 50) -> Resampled:
    return Resampled(images, digest, tuple(values))


def test_one_seed_has_the_interval_of_the_test_images() -> None:
    ours, theirs = [60.0, 62.0, 64.0, 66.0], [50.0, 53.0, 52.0, 55.0]
    found = difference([63.0], [52.5], [sample(ours)], [sample(theirs)])
    deviation = np.std(np.subtract(ours, theirs), ddof=1)
    assert (found.value, found.images, found.covers_seeds) == (10.5, 50, False)
    assert found.low == pytest.approx(10.5 - t.ppf(0.975, 49) * deviation) and found.seed_variance is None


def test_variances_of_seeds_and_images_are_added() -> None:
    first, second = [62.0, 64.0, 66.0], [50.0, 51.0, 52.0]
    resampled = [[sample([60.0, 70.0, 62.0])] * 3, [sample([50.0, 56.0, 53.0])] * 3]
    found, seeds = difference(first, second, *resampled), difference(first, second)
    assert found.seed_variance == pytest.approx(4 / 3 + 1 / 3) and found.image_variance == pytest.approx(
        np.var([10, 14, 9], ddof=1)
    )
    assert found.covers_seeds and found.images == 50 and seeds.images == 0
    total = found.seed_variance + found.image_variance
    free = total**2 / ((4 / 3) ** 2 / 2 + (1 / 3) ** 2 / 2 + found.image_variance**2 / 49)
    assert found.high == pytest.approx(13 + t.ppf(0.975, free) * math.sqrt(total))


def test_resamples_of_other_images_or_of_some_runs_do_not_count() -> None:
    first, second = [62.0, 64.0], [50.0, 51.0]
    ours = [sample([60.0, 70.0])] * 2
    for theirs in ([sample([50.0, 56.0], "b")] * 2, [sample([50.0, 56.0]), None], [sample([1.0])] * 2, []):
        assert difference(first, second, ours, theirs) == difference(first, second)


def test_seeds_that_agree_leave_the_interval_of_the_images() -> None:
    found = difference([60.0] * 3, [50.0] * 3, [sample([60.0, 61.0])] * 3, [sample([50.0, 50.0])] * 3)
    assert found.low is not None and found.seed_variance == 0 and found.covers_seeds


COUNTS = image_counts(150, 400)


@cache
def covered(seeds: int, seed_deviation: float, studies: int = 1500) -> float:
    """Share of drawn studies whose interval holds the true difference of two classifiers, 6 points.

    An image has a difficulty that both classifiers meet and one that is each one's own; so has a seed. The truth is of
    all seeds and all images, so that both are drawn anew in each study.
    """
    rng = np.random.default_rng(seeds)
    images, hits = COUNTS.shape[1], 0
    for _ in range(studies):
        shared = rng.normal(0, 0.25, images)
        sides, samples = [], []
        for mean in (0.70, 0.64):
            own = rng.normal(0, 0.1, images)
            chances = mean + shared + own + rng.normal(0, seed_deviation, (seeds, 1))
            right = chances + rng.normal(0, 0.1, (seeds, images))  # a score per image, as exact as an accuracy
            sides.append((100 * right.mean(axis=1)).tolist())
            samples.append([Resampled(images, "", tuple(resampled_accuracy(one, COUNTS))) for one in right])
        found = difference(*sides, *samples)
        assert found.low is not None and found.high is not None
        hits += found.low <= 6 <= found.high
    return hits / studies


@pytest.mark.parametrize(("seeds", "seed_deviation"), [(1, 0.0), (2, 0.01), (3, 0.005), (3, 0.02), (5, 0.02)])
def test_95_percent_of_the_intervals_hold_the_truth(seeds: int, seed_deviation: float) -> None:
    assert 0.93 <= covered(seeds, seed_deviation) <= 0.97
