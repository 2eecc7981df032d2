"""Do images that share a cluster in one feature space share one in another? Exactly, and from sampled pairs.

Both directions have the same numerator, the pairs that share a cluster in both spaces. They differ by the number of
pairs that share a cluster in each space, which is greater the more uneven its clusters are; so does the chance value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from mmdetpre.utils.tables import percent, text_table

FORMAT = "mmdetpre cluster agreement"
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
        """What the agreement would be if B's clusters were dealt out at random: the part of all pairs they hold."""
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
    """Draw pairs of images from the clusters of A, all such pairs being equally likely, and look at them in B.

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
) -> dict[str, Any]:
    """Agreement in both directions over the number of clusters, ready for JSON.

    Args:
        names: Names of the two spaces.
        clusters_a: (n,) clusters of the images for each k, in the first space.
        clusters_b: The same in the second.
        samples: Pairs to draw per k and direction.
        seed: Of the draws.

    Returns:
        ``k``, ``adjusted_rand``, and two ``directions`` with ``from``, ``to`` and, per k, ``pairs`` (that share a
        cluster of ``from``), ``exact``, ``chance``, ``sampled``, ``low`` and ``high``; ``None`` where none does.
    """
    counts = [count_pairs(clusters_a[k], clusters_b[k]) for k in clusters_a]
    ways = (
        (names[0], names[1], clusters_a, clusters_b, counts),
        (names[1], names[0], clusters_b, clusters_a, [one.reversed() for one in counts]),
    )
    directions = []
    for way, (start, end, here, there, of_way) in enumerate(ways):
        drawn = [sample_agreement(here[k], there[k], samples, (seed, k, way)) for k in clusters_a]
        directions.append(
            {
                "from": start,
                "to": end,
                "pairs": [one.in_a for one in of_way],
                "exact": [_plain(one.agreement()) for one in of_way],
                "chance": [one.chance() for one in of_way],
                "sampled": [_plain(one.value) for one in drawn],
                "low": [_plain(one.low) for one in drawn],
                "high": [_plain(one.high) for one in drawn],
            }
        )
    return {
        "format": FORMAT,
        "k": list(clusters_a),
        "samples": samples,
        "confidence": CONFIDENCE,
        "seed": seed,
        "directions": directions,
        "adjusted_rand": [_plain(one.adjusted_rand()) for one in counts],
    }


def format_agreement(result: Mapping[str, Any]) -> str:
    """Numbers of :func:`compare_clusters` in per cent, one line per k."""
    head = ["clusters"]
    for way in result["directions"]:
        head += [f"{way['from']} -> {way['to']}", "95 % of the draw", "exact", "chance"]
    rows = []
    for row, k in enumerate(result["k"]):
        cells = [str(k)]
        for way in result["directions"]:
            band = f"{percent(way['low'][row])} to {percent(way['high'][row])}"
            cells += [percent(way["sampled"][row]), band, percent(way["exact"][row]), percent(way["chance"][row])]
        rand = result["adjusted_rand"][row]
        rows.append([*cells, "-" if rand is None else f"{rand:.3f}"])
    return text_table([*head, "adjusted Rand"], rows)


def _pairs(keys: Sequence[np.ndarray]) -> int:
    sizes = np.unique(np.stack(keys), axis=1, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _plain(value: float) -> float | None:
    return None if value != value else value
