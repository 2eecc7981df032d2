"""Do images that share a cluster in one feature space share one in another? Exactly, and from sampled pairs.

Both directions have the same numerator, the pairs that share a cluster in both spaces. They differ by the number of
pairs that share a cluster in each space, which is greater the more uneven its clusters are; so does the chance value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import ClassVar

import numpy as np

from mmdetpre.analysis.features.spaces import SpaceInfo
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import percent, text_table

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairCounts:
    """Pairs of images by whether they share a cluster.

    Args:
        pairs: All pairs.
        in_a: Those that share a cluster of space A.
        in_b: Those that share one of space B.
        in_both: Those that share one in both.
    """

    pairs: int
    in_a: int
    in_b: int
    in_both: int

    def agreement(self) -> float:
        """Part of the pairs of A's clusters that share one in B; NaN where A's clusters hold one image each."""
        return self.in_both / self.in_a if self.in_a else nan

    def chance(self) -> float:
        """What the agreement would be if B's clusters were assigned at random: the part of all pairs they hold."""
        return self.in_b / self.pairs

    def adjusted_rand(self) -> float:
        """Adjusted Rand index of both clusterings: 1 for the same, 0 for chance; NaN if all or none are together."""
        expected = self.in_a * self.in_b / self.pairs
        most = (self.in_a + self.in_b) / 2
        return (self.in_both - expected) / (most - expected) if most != expected else nan

    def reversed(self) -> PairCounts:
        """The same from B to A."""
        return PairCounts(self.pairs, self.in_b, self.in_a, self.in_both)


@dataclass(frozen=True)
class SampledAgreement:
    """Agreement of sampled pairs and its Wilson interval; NaN where there is no pair.

    Args:
        value: Part of the sampled pairs that share a cluster in the other space.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Direction:
    """Agreement from one space to another, a value per number of clusters; None where no two images share a cluster.

    Attributes:
        start, end: Names of the spaces.
        pairs: That share a cluster of ``start``.
        exact, chance: Part of these that share one of ``end``, and what it would be by chance.
        sampled, low, high: Of sampled pairs, with its interval.
    """

    start: str = field(metadata={"key": "from"})
    end: str = field(metadata={"key": "to"})
    pairs: tuple[int, ...]
    exact: tuple[float | None, ...]
    chance: tuple[float, ...]
    sampled: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class ClusterAgreement(Result):
    """Agreement of the clusters of two spaces in both directions.

    Attributes:
        k: Numbers of clusters.
        samples, confidence, seed: Of the sampled pairs.
        directions: From the first space to the second, and back.
        adjusted_rand: Per number of clusters; None where it is not defined.
        images, spaces: What was compared.
    """

    kind: ClassVar[str] = "cluster agreement"
    alone: ClassVar[bool] = True

    k: tuple[int, ...]
    samples: int
    confidence: float
    seed: int
    directions: tuple[Direction, Direction]
    adjusted_rand: tuple[float | None, ...]
    images: int | None = None
    spaces: tuple[SpaceInfo, ...] = ()

    def rows(self) -> list[list[Cell]]:
        """A line per direction and number of clusters."""
        head: list[Cell] = ["from", "to", "clusters", "pairs", "sampled", "low", "high", "exact", "chance"]
        rows = [[*head, "adjusted Rand"]]
        for way in self.directions:
            numbers = zip(
                self.k,
                way.pairs,
                way.sampled,
                way.low,
                way.high,
                way.exact,
                way.chance,
                self.adjusted_rand,
                strict=True,
            )
            rows += [[way.start, way.end, *cells] for cells in numbers]
        return rows

    def __str__(self) -> str:
        """Percentages, one line per number of clusters."""
        head = ["clusters"]
        for way in self.directions:
            head += [f"{way.start} -> {way.end}", "95 % of the draw", "exact", "chance"]
        rows = []
        for row, k in enumerate(self.k):
            cells = [str(k)]
            for way in self.directions:
                band = f"{percent(way.low[row])} to {percent(way.high[row])}"
                cells += [percent(way.sampled[row]), band, percent(way.exact[row]), percent(way.chance[row])]
            rand = self.adjusted_rand[row]
            rows.append([*cells, "-" if rand is None else f"{rand:.3f}"])
        table = text_table([*head, "adjusted Rand"], rows)
        alone = any(None in way.exact for way in self.directions)
        return f"{table}\n-: no two images share a cluster there" if alone else table


def count_pairs(a: np.ndarray, b: np.ndarray) -> PairCounts:
    """Count pairs from the contingency table of two clusterings: sums of n(n - 1) / 2 over its cells and margins.

    Args:
        a: (n,) cluster of each image in space A; any integers.
        b: (n,) cluster in space B.

    Raises:
        ValueError: If they are not of the same two or more images.

    Example:
        >>> count_pairs(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 6]))
        PairCounts(pairs=6, in_a=2, in_b=3, in_both=1)
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"the clusters have shapes {a.shape} and {b.shape}: give one of each image in both spaces, of two or more."
        )
    return PairCounts(len(a) * (len(a) - 1) // 2, *(_pairs(keys) for keys in ((a,), (b,), (a, b))))


def sample_agreement(
    a: np.ndarray, b: np.ndarray, samples: int = 100_000, seed: int | Sequence[int] = 0
) -> SampledAgreement:
    """Draw pairs of images from the clusters of A, each pair equally likely, and count those that share one of B.

    Args:
        a: (n,) cluster of each image in space A; any integers.
        b: (n,) cluster in space B.
        samples: Number of pairs, drawn with replacement.
        seed: Of the draw.

    Returns:
        The part and its 95 % Wilson interval. It covers the chance of the draw: not that of the images, nor of k-means.

    Raises:
        ValueError: If there is no sample.

    Source: Figure 6 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> sample_agreement(np.array([0, 0, 1]), np.array([1, 1, 1]), 100).value
        1.0
    """
    if samples < 1:
        raise ValueError(f"{samples} pairs are to be sampled: give 1 or more.")
    from scipy.stats import binomtest

    order = np.argsort(a, kind="stable")
    sizes = np.unique(a, return_counts=True)[1]
    starts = np.cumsum(sizes) - sizes
    pairs = np.cumsum(sizes * (sizes - 1) // 2)
    if pairs[-1] == 0:
        return SampledAgreement(nan, nan, nan)
    random = np.random.default_rng(seed)
    cluster = np.searchsorted(pairs, random.integers(pairs[-1], size=samples), side="right")
    first = random.integers(sizes[cluster])
    second = random.integers(sizes[cluster] - 1)
    second += second >= first
    i, j = order[starts[cluster] + first], order[starts[cluster] + second]
    together = int((np.asarray(b)[i] == np.asarray(b)[j]).sum())
    interval = binomtest(together, samples).proportion_ci(CONFIDENCE, method="wilson")
    return SampledAgreement(together / samples, float(interval.low), float(interval.high))


def compare_clusters(
    names: Sequence[str],
    clusters_a: Mapping[int, np.ndarray],
    clusters_b: Mapping[int, np.ndarray],
    *,
    samples: int = 100_000,
    seed: int = 0,
) -> ClusterAgreement:
    """Agreement in both directions over the number of clusters.

    Args:
        names: Names of the two spaces.
        clusters_a: (n,) clusters of the images for each k, in the first space.
        clusters_b: The same in the second.
        samples: Pairs to draw per k and direction.
        seed: Of the draws.

    Raises:
        ValueError: As :func:`count_pairs` and :func:`sample_agreement` do.
    """
    counts = [count_pairs(clusters_a[k], clusters_b[k]) for k in clusters_a]

    def direction(number: int, start: str, end: str, counts: Sequence[PairCounts]) -> Direction:
        here, there = (clusters_a, clusters_b)[:: -1 if number else 1]
        drawn = [sample_agreement(here[k], there[k], samples, (seed, k, number)) for k in clusters_a]
        return Direction(
            start,
            end,
            tuple(one.in_a for one in counts),
            tuple(_plain(one.agreement()) for one in counts),
            tuple(one.chance() for one in counts),
            *(tuple(_plain(getattr(one, name)) for one in drawn) for name in ("value", "low", "high")),
        )

    ways = (
        direction(0, names[0], names[1], counts),
        direction(1, names[1], names[0], [one.reversed() for one in counts]),
    )
    rand = tuple(_plain(one.adjusted_rand()) for one in counts)
    return ClusterAgreement(tuple(clusters_a), samples, CONFIDENCE, seed, ways, rand)


def _pairs(keys: Sequence[np.ndarray]) -> int:
    sizes = np.unique(np.stack(keys), axis=1, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _plain(value: float) -> float | None:
    return None if value != value else value
