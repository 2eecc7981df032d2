"""The most similar pairs of images in a feature space: exact, in memory that does not grow with the number of images.

Products of blocks of rows in single precision find the candidates; a bound on their rounding error decides what has to
be computed again in double precision. The result is that of double precision throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmdetpre.utils.progress_bar import progress_bar

METRICS = ("correlation", "inner", "l2")
"""Correlation of the two vectors; their inner product; their Euclidean distance."""

_ROUNDING = 2.0**-24
_EXACT_VALUES = 1 << 21  # numbers per vector of a batch in double precision: 16 MB


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images, the most similar first; equals in the order of (i, j).

    Args:
        i: (m,) int64 first image.
        j: (m,) int64 second image, j > i.
        values: (m,) float64 correlation, inner product or distance.
    """

    i: np.ndarray
    j: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.i)


def check_features(features: np.ndarray, metric: str) -> None:
    """Check that a metric tells rows apart.

    Args:
        features: (n, D) features; may be memory-mapped.
        metric: See :func:`closest_pairs`.

    Raises:
        ValueError: If it does not exist, there is one row only, all rows are the same, or a row is constant under
            "correlation", which is then undefined.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}: choose one of {', '.join(METRICS)}.")
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"the features have shape {features.shape}: expected (images, dimensions), two or more.")
    all_the_same = True
    for start in range(0, len(features), 2048):
        block = features[start : start + 2048]
        all_the_same &= bool((block == features[0]).all())
        constant = (block == block[:, :1]).all(axis=1)
        if metric == "correlation" and constant.any():
            row = start + int(np.argmax(constant))
            raise ValueError(
                f"the features of image {row} all have the value {features[row, 0]:g}: their correlation with others is"
                " undefined. Use the metric 'inner' or 'l2', or leave this image out."
            )
    if all_the_same:
        raise ValueError(f"all {len(features)} images have the same features: no pair is closer than another.")


def closest_pairs(
    features: np.ndarray,
    count: int,
    metric: str = "correlation",
    *,
    same: Sequence[np.ndarray] = (),
    different: Sequence[np.ndarray] = (),
    duplicates: float | None = None,
    block: int = 2048,
    progress: bool = False,
) -> Pairs:
    """The ``count`` most similar pairs of rows.

    Args:
        features: (n, D) finite float32; may be memory-mapped. A few blocks of rows and of their products are in
            memory at a time: about 120 MB for D = 2048.
        count: How many pairs, at most; there may be fewer.
        metric: "correlation": each vector minus its mean, divided by its length, multiplied. "inner" product. "l2":
            the distance.
        same: (n,) labels each: only pairs that have the same one of every such labelling.
        different: (n,) labels each: only pairs that differ in every one of them.
        duplicates: Leave out pairs with at least this similarity, or at most this distance.
        block: Rows per block.
        progress: Show a progress bar.

    Raises:
        ValueError: If ``count`` is below 1, or as :func:`check_features` does.

    Source: Figure 5 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> pairs = closest_pairs(np.array([[0, 0], [3, 4], [0, 1.0]], np.float32), 2, "l2")
        >>> pairs.i.tolist(), pairs.j.tolist(), pairs.values.round(3).tolist()
        ([0, 1], [2, 2], [1.0, 4.243])
    """
    if count < 1:
        raise ValueError(f"{count} pairs are asked for: give 1 or more.")
    space = _Space(features, metric)
    skip = np.inf if duplicates is None else space.score(duplicates)
    best = _Scored(*(np.zeros(0, kind) for kind in (np.int64, np.int64, np.float64)))
    blocks = list(_block_pairs(_groups(len(features), same), block))
    for a, b in progress_bar(
        _loaded(space, blocks), total=len(blocks), desc="pairs", unit="block", disable=not progress
    ):
        scores, error = _products(space, a, b)
        for labels in different:
            scores[np.asarray(labels)[a.rows][:, None] == np.asarray(labels)[b.rows]] = -np.inf
        scores[scores > skip + error] = -np.inf
        least = best.scores[-1] - error if len(best.scores) == count else -np.inf
        if not len(scores) or scores.max() < least or scores.max() == -np.inf:
            continue
        best = _merge(space, best, a.rows, b.rows, scores, least, error, count, skip)
    return Pairs(best.i, best.j, space.value(best.scores))


def pair_values(features: np.ndarray, i: np.ndarray, j: np.ndarray, metric: str = "correlation") -> np.ndarray:
    """(m,) float64 correlation, inner product or distance of given pairs of rows, in double precision.

    Args:
        features: (n, d) float32, one row per image.
        i: (m,) int64 first row of each pair.
        j: (m,) int64 second row of each pair.
        metric: "correlation", "inner" or "l2".

    Example:
        >>> pair_values(np.array([[0, 0], [3, 4.0]], np.float32), np.array([0]), np.array([1]), "l2").tolist()
        [5.0]
    """
    space = _Space(features, metric)
    return space.value(space.exact(np.asarray(i), np.asarray(j)))


def pair_ranks(
    features: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    metric: str = "correlation",
    *,
    block: int = 2048,
    progress: bool = False,
) -> np.ndarray:
    """(m,) int64 ranks of given pairs of different rows among all pairs: 1 is the most similar.

    All other pairs are compared in single precision: ranks may be off by pairs that are equal to about seven digits.

    Args:
        features: (n, d) float32, one row per image.
        i: (m,) int64 first row of each pair.
        j: (m,) int64 second row of each pair.
        metric: "correlation", "inner" or "l2".
        block: Rows that are compared at once.
        progress: Show a progress bar.

    Example:
        >>> features = np.array([[0, 0], [3, 4], [0, 1.0]], np.float32)
        >>> pair_ranks(features, np.array([0, 0]), np.array([1, 2]), "l2").tolist()
        [3, 1]
    """
    space = _Space(features, metric)
    i, j = np.minimum(i, j), np.maximum(i, j)
    wanted = space.exact(i, j)
    levels = np.sort(wanted).astype(np.float32)
    above = np.zeros(len(levels) + 1, np.int64)
    blocks = list(_block_pairs([np.arange(len(features))], block))
    for a, b in progress_bar(
        _loaded(space, blocks), total=len(blocks), desc="ranks", unit="block", disable=not progress
    ):
        scores, _ = _products(space, a, b)
        here = (i >= a.rows[0]) & (i <= a.rows[-1]) & (j >= b.rows[0]) & (j <= b.rows[-1])
        scores[i[here] - a.rows[0], j[here] - b.rows[0]] = -np.inf  # they are compared in double precision below
        above += np.bincount(np.searchsorted(levels, scores.ravel()), minlength=len(above))
    others = above[::-1].cumsum()[::-1][1:]  # [l]: those above the l-th level
    chosen = np.unique(np.stack([i, j]), axis=1, return_index=True)[1]
    among = (wanted[chosen] > wanted[:, None]).sum(axis=1)
    return 1 + others[np.argsort(np.argsort(wanted))] + among


class _Block(NamedTuple):
    rows: np.ndarray
    values: np.ndarray
    lengths: np.ndarray


class _Scored(NamedTuple):
    i: np.ndarray
    j: np.ndarray
    scores: np.ndarray


class _Space:
    """Rows as the metric compares them; scores grow with similarity (minus the squared distance for "l2")."""

    def __init__(self, features: np.ndarray, metric: str) -> None:
        check_features(features, metric)
        self.features, self.metric = features, metric
        self.mean = np.mean(features, axis=0, dtype=np.float64) if metric == "l2" else None

    def load(self, rows: np.ndarray) -> _Block:
        values = np.asarray(self.features[rows], np.float32)
        if self.metric == "correlation":
            standard = values - values.mean(axis=1, keepdims=True, dtype=np.float64)
            standard /= np.sqrt(np.einsum("nd,nd->n", standard, standard))[:, None]
            values = standard.astype(np.float32)
        elif self.mean is not None:  # short vectors have small rounding errors, and their distances are the same
            values = (values - self.mean).astype(np.float32)
        return _Block(rows, values, np.sqrt(np.einsum("nd,nd->n", values, values, dtype=np.float64)))

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """(m,) float64 scores of pairs."""
        step = max(1, _EXACT_VALUES // self.features.shape[1])
        parts = [self._exact(i[s : s + step], j[s : s + step]) for s in range(0, len(i), step)]
        return np.concatenate([np.zeros(0), *parts])

    def _exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        a, b = (self.features[rows].astype(np.float64) for rows in (i, j))
        if self.metric == "correlation":
            a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
            lengths = np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b)
            return np.einsum("nd,nd->n", a, b) / np.sqrt(lengths)
        if self.metric == "inner":
            return np.einsum("nd,nd->n", a, b)
        a -= b
        return -np.einsum("nd,nd->n", a, a)

    def score(self, value: float) -> float:
        return -(value**2) if self.metric == "l2" else value

    def value(self, scores: np.ndarray) -> np.ndarray:
        return np.sqrt(-scores) if self.metric == "l2" else scores


def _groups(n: int, same: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rows that may be paired with each other, two or more per group."""
    if not same:
        return [np.arange(n)]
    group = np.unique(np.stack([np.asarray(labels) for labels in same]), axis=1, return_inverse=True)[1].ravel()
    order = np.argsort(group, kind="stable")
    return [rows for rows in np.split(order, np.cumsum(np.bincount(group))[:-1]) if len(rows) > 1]


def _block_pairs(groups: Sequence[np.ndarray], block: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for rows in groups:
        parts = [rows[start : start + block] for start in range(0, len(rows), block)]
        for first, a in enumerate(parts):
            for b in parts[first:]:
                yield a, b


def _loaded(space: _Space, blocks: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[_Block, _Block]]:
    a: _Block | None = None
    for first, second in blocks:
        if a is None or a.rows is not first:
            a = space.load(first)
        yield a, a if second is first else space.load(second)


def _products(space: _Space, a: _Block, b: _Block) -> tuple[np.ndarray, float]:
    """Scores (rows of a, rows of b) in single precision, -inf where not i < j, and a bound on their error."""
    scores = a.values @ b.values.T
    size = a.lengths.max() * b.lengths.max()
    if space.metric == "l2":
        scores *= 2
        scores -= np.square(a.lengths).astype(np.float32)[:, None]
        scores -= np.square(b.lengths).astype(np.float32)
        size = (a.lengths.max() + b.lengths.max()) ** 2
    if a is b:
        scores[np.tri(len(scores), dtype=bool)] = -np.inf
    return scores, float((a.values.shape[1] + 16) * _ROUNDING * size)


def _merge(
    space: _Space,
    best: _Scored,
    rows: np.ndarray,
    columns: np.ndarray,
    scores: np.ndarray,
    least: float,
    error: float,
    count: int,
    skip: float,
) -> _Scored:
    """The best of ``best`` and of the candidates in a block, whose exact scores are computed batch by batch."""
    found = np.flatnonzero((scores >= least) & (scores > -np.inf))
    values = scores.ravel()[found]
    sure = values[values < skip - error]  # no duplicates, whatever the rounding did
    if len(sure) > count:
        found = found[values >= np.partition(sure, -count)[-count] - 2 * error]
    step = max(count, 1 << 16)
    for start in range(0, len(found), step):
        down, across = np.divmod(found[start : start + step], len(columns))
        new = _Scored(rows[down], columns[across], space.exact(rows[down], columns[across]))
        kept = new.scores < skip
        i, j, exact = (np.concatenate([a, b[kept]]) for a, b in zip(best, new, strict=True))
        order = np.lexsort((j, i, -exact))[:count]
        best = _Scored(i[order], j[order], exact[order])
    return best
