"""Mean and spread over seeds, and the difference between two initializations with its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """One number over the seeds.

    Attributes:
        mean: Over the seeds.
        deviation: Standard deviation of the seeds (n - 1); None of a single one.
        count: Number of seeds.
    """

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class Difference:
    """How far two initializations are apart.

    Attributes:
        value: Mean of the first less that of the second.
        low, high: The 95 % interval, or None.
        counts: Seeds of the first and of the second.
        why_no_interval: Empty where there is one.
    """

    value: float
    low: float | None
    high: float | None
    counts: tuple[int, int]
    why_no_interval: str = ""

    @property
    def direction(self) -> int | None:
        """1 where the interval lies above zero, -1 below, 0 where it holds zero; None without interval."""
        if self.low is None or self.high is None:
            return None
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation.

    Raises:
        ValueError: If there is no value.

    Example:
        >>> spread([60.0, 62.0, 64.0])
        Spread(mean=62.0, deviation=2.0, count=3)
        >>> spread([60.0]).deviation is None
        True
    """
    if not len(values):
        raise ValueError("There is no value: a cell without runs has no mean.")
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, len(values))


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Mean of ``first`` less mean of ``second`` with Welch's t-interval, which does not take their variances for equal.

    A single seed has no spread, and seeds that all agree show none: then there is no interval, rather than one of width
    zero or infinity.

    Source: Welch, "The generalization of 'Student's' problem when several different population variances are involved",
    Biometrika 34, 1947.

    Raises:
        ValueError: If one has no value.

    Example:
        >>> found = difference([62.0, 64.0, 66.0], [60.0, 61.0, 62.0])
        >>> round(found.value, 1), round(found.low, 2), round(found.high, 2), found.direction
        (3.0, -1.16, 7.16, 0)
    """
    counts = (len(first), len(second))
    value = spread(first).mean - spread(second).mean
    if min(counts) < 2:
        return Difference(value, None, None, counts, "one seed" if max(counts) < 2 else "one side has one seed")
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return Difference(value, None, None, counts, "the seeds do not differ at all")
    from scipy.stats import ttest_ind  # takes half a second

    interval = ttest_ind(first, second, equal_var=False).confidence_interval(CONFIDENCE)
    return Difference(value, float(interval.low), float(interval.high), counts)
