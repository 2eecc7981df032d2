"""The most similar pairs of images in a feature space: exact, in memory that does not grow with the number of images.

Products of blocks of rows in single precision find the candidates; a bound on their rounding error decides which are
computed again in double precision. The result is that of double precision throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmdetpre.utils.progress_bar import progress_bar

METRICS = ("correlation", "inner", "l2")
"""Correlation of the two vectors; their inner product; their Euclidean distance."""
_EXACT_VALUES = 1 << 21  # numbers per vector of a batch in double precision: 16 MB


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images, the most similar first; ties in the order of (i, j).

    Args:
        i, j: (m,) int64 first and second image, j > i.
        values: (m,) float64 correlation, inner product or distance.
    """

    i: np.ndarray
    j: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.i)


def check_features(features: np.ndarray, metric: str) -> None:
    """Check that a metric of :func:`closest_pairs` distinguishes rows (n, D).

    Raises:
        ValueError: If it does not exist, there is one row only, all rows are the same, or a row is constant under
            "correlation", which is then undefined.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}: choose one of {', '.join(METRICS)}.")
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"the features have shape {features.shape}: expected (images, dimensions), two or more.")
    blocks = [features[start : start + 2048] for start in range(0, len(features), 2048)]
    if metric == "correlation":
        constant = np.concatenate([(block == block[:, :1]).all(axis=1) for block in blocks])
        if constant.any():
            row = int(np.argmax(constant))
            raise ValueError(
                f"the features of image {row} all have the value {features[row, 0]:g}: their correlation with others is"
                " undefined. Use the metric 'inner' or 'l2', or leave this image out."
            )
    if all((block == features[0]).all() for block in blocks):
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
        same: (n,) labels each: only pairs that have the same one of every such labeling.
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
    check_features(features, metric)
    skip = np.inf if duplicates is None else -(duplicates**2) if metric == "l2" else duplicates
    best = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))  # values: scores, greater is more similar
    for a, b, scores, error in _products(features, metric, _groups(len(features), same), block, progress):
        for labels in different:
            scores[np.asarray(labels)[a][:, None] == np.asarray(labels)[b]] = -np.inf
        if duplicates is not None:
            scores[scores > skip + error] = -np.inf
        least = best.values[-1] - error if len(best) == count else np.finfo(np.float32).min
        if scores.max() < least:
            continue
        found = np.flatnonzero(scores >= least)
        approximate = scores.ravel()[found]
        counted = approximate[approximate < skip - error]  # no duplicates, whatever the rounding did
        if len(counted) > count:
            found = found[approximate >= np.partition(counted, -count)[-count] - 2 * error]
        i, j = a[found // len(b)], b[found % len(b)]
        exact = _scores(features, i, j, metric)
        i, j, exact = (np.concatenate(pair) for pair in ((best.i, i), (best.j, j), (best.values, exact)))
        order = np.lexsort((j, i, -exact))
        order = order[exact[order] < skip][:count]
        best = Pairs(i[order], j[order], exact[order])
    return Pairs(best.i, best.j, np.sqrt(-best.values) if metric == "l2" else best.values)


def pair_values(features: np.ndarray, i: np.ndarray, j: np.ndarray, metric: str = "correlation") -> np.ndarray:
    """(m,) float64 correlation, inner product or distance of given pairs of rows, in double precision.

    Args:
        features, metric: As for :func:`closest_pairs`.
        i, j: (m,) int64 rows of each pair.

    Example:
        >>> pair_values(np.array([[0, 0], [3, 4.0]], np.float32), np.array([0]), np.array([1]), "l2").tolist()
        [5.0]
    """
    scores = _scores(features, i, j, metric)
    return np.sqrt(-scores) if metric == "l2" else scores


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
        features, metric, block, progress: As for :func:`closest_pairs`.
        i, j: (m,) int64 rows of each pair.

    Example:
        >>> features = np.array([[0, 0], [3, 4], [0, 1.0]], np.float32)
        >>> pair_ranks(features, np.array([0, 0]), np.array([1, 2]), "l2").tolist()
        [3, 1]
    """
    check_features(features, metric)
    i, j = np.minimum(i, j), np.maximum(i, j)
    wanted = _scores(features, i, j, metric)
    _, chosen = np.unique([i, j], axis=1, return_index=True)
    ranks = 1 + (wanted[chosen] > wanted[:, None]).sum(axis=1)
    for a, b, scores, _ in _products(features, metric, [np.arange(len(features))], block, progress):
        here = (i >= a[0]) & (i <= a[-1]) & (j >= b[0]) & (j <= b[-1])
        scores[i[here] - a[0], j[here] - b[0]] = -np.inf  # compared in double precision above
        above = scores[scores > wanted.min().astype(np.float32)]
        ranks += [np.count_nonzero(above > level) for level in wanted.astype(np.float32)]
    return ranks


def _groups(n: int, same: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rows that may be paired with each other."""
    if not same:
        return [np.arange(n)]
    group = np.unique(np.stack(same), axis=1, return_inverse=True)[1].ravel()
    return np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])


def _products(
    features: np.ndarray, metric: str, groups: Sequence[np.ndarray], block: int, progress: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Rows a, rows b, their scores in single precision, -inf where not i < j, and a bound on the error of these."""
    mean = np.asarray(np.mean(features, axis=0, dtype=np.float64)) if metric == "l2" else None
    parts = [[rows[s : s + block] for s in range(0, len(rows), block)] for rows in groups if len(rows) > 1]
    pairs = [(a, b) for part in parts for k, a in enumerate(part) for b in part[k:]]
    for a, b in progress_bar(pairs, "pairs", unit="block", disable=not progress):
        ours, lengths = _rows(features, a, metric, mean)
        theirs, others = (ours, lengths) if b is a else _rows(features, b, metric, mean)
        scores, size = ours @ theirs.T, lengths.max() * others.max()
        if metric == "l2":
            scores *= 2
            scores -= np.square(lengths).astype(np.float32)[:, None]
            scores -= np.square(others).astype(np.float32)
            size = (lengths.max() + others.max()) ** 2
        if b is a:
            scores[np.tri(len(scores), dtype=bool)] = -np.inf
        yield a, b, scores, float((ours.shape[1] + 16) * 2.0**-24 * size)


def _rows(
    features: np.ndarray, rows: np.ndarray, metric: str, mean: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows as the metric multiplies them, float32, and their lengths."""
    values = np.asarray(features[rows])
    if mean is not None:
        values = values - mean  # shorter vectors have smaller rounding errors
    if metric == "correlation":
        values = values - values.mean(axis=1, keepdims=True, dtype=np.float64)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    values = values.astype(np.float32)
    return values, np.sqrt(np.einsum("nd,nd->n", values, values, dtype=np.float64))


def _scores(features: np.ndarray, i: np.ndarray, j: np.ndarray, metric: str) -> np.ndarray:
    """(m,) float64 scores of pairs, greater is more similar: minus the squared distance for "l2"."""
    step = max(1, _EXACT_VALUES // features.shape[1])
    found = [np.zeros(0)]
    for start in range(0, len(i), step):
        a, b = (features[rows[start : start + step]].astype(np.float64) for rows in (i, j))
        if metric == "correlation":
            a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
        if metric == "l2":
            a = b = a - b
        products = np.einsum("nd,nd->n", a, b)
        if metric == "correlation":
            products /= np.sqrt(np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b))
        found.append(-products if metric == "l2" else products)
    return np.concatenate(found)
