"""Mean and spread over seeds, and the difference of two initializations with its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdetpre.evaluation.bootstrap.resampled import Resampled

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
        images: Test images that the interval covers; 0: it does not cover other test images.
        covers_seeds: Whether it covers other seeds.
        seed_variance, image_variance: Of the value, over seeds and over test images; None where they are not known.
    """

    value: float
    low: float | None
    high: float | None
    counts: tuple[int, int]
    why_no_interval: str = ""
    images: int = 0
    covers_seeds: bool = True
    seed_variance: float | None = None
    image_variance: float | None = None

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


def difference(
    first: Sequence[float],
    second: Sequence[float],
    first_resampled: Sequence[Resampled | None] = (),
    second_resampled: Sequence[Resampled | None] = (),
) -> Difference:
    """Mean of ``first`` less mean of ``second`` with an interval that covers other seeds and other test images.

    Two variances are added: that of the means over the seeds, those of the two sides not taken for equal (Welch), and
    that of the difference over resamples of the test images, the same for both sides (paired bootstrap). The interval
    is Student's, its degrees of freedom by Welch and Satterthwaite. A single seed has no spread: then the interval is
    of the test images alone, and without resamples it is of the seeds alone. Seeds that all agree show no spread
    either: then, and without resamples, there is no interval rather than one of width zero.

    Args:
        first, second: Scores in percent, one per seed.
        first_resampled, second_resampled: The same scores on resamples of the test images, where all have them.

    Raises:
        ValueError: If one has no value.

    Source: Welch, Biometrika 34, 1947; Satterthwaite, Biometrics Bulletin 2, 1946; Efron, Annals of Statistics 7, 1979.

    Example:
        >>> found = difference([62.0, 64.0, 66.0], [60.0, 61.0, 62.0])
        >>> round(found.value, 1), round(found.low, 2), round(found.high, 2), found.direction
        (3.0, -1.16, 7.16, 0)
    """
    counts = (len(first), len(second))
    value = spread(first).mean - spread(second).mean
    parts = []  # variance, and its degrees of freedom
    seed_variance = image_variance = None
    if min(counts) > 1:
        variances = [float(np.var(side, ddof=1)) / len(side) for side in (first, second)]
        seed_variance = sum(variances)
        if seed_variance > 0:
            free = sum(v**2 / (n - 1) for v, n in zip(variances, counts, strict=True))
            parts.append((seed_variance, seed_variance**2 / free))
    images = _same_images([*first_resampled, *second_resampled], sum(counts))
    if images:
        sides = [np.mean([one.values for one in side if one], axis=0) for side in (first_resampled, second_resampled)]
        image_variance = float(np.var(sides[0] - sides[1], ddof=1))
        parts.append((image_variance, max(1, images - 1)))
    total = sum(variance for variance, _ in parts)
    if not total:
        why = "the seeds do not differ at all" if min(counts) > 1 else "one side has one seed"
        why = "one seed" if max(counts) < 2 else why
        return Difference(value, None, None, counts, why, 0, min(counts) > 1, seed_variance, image_variance)
    from scipy.stats import t  # takes half a second

    free = total**2 / sum(variance**2 / degrees for variance, degrees in parts)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, free)) * total**0.5
    return Difference(
        value, value - half, value + half, counts, "", images, min(counts) > 1, seed_variance, image_variance
    )


def _same_images(resampled: Sequence[Resampled | None], count: int) -> int:
    """Number of test images, if all scores are on the same resamples of the same images; else 0."""
    known = [one for one in resampled if one is not None and one.values]
    alike = {(one.images, one.digest, len(one.values)) for one in known}
    return known[0].images if len(known) == count and len(alike) == 1 else 0
