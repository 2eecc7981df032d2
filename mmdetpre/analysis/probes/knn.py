"""k nearest neighbors on stored features: a probe without training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmdetpre.analysis.features.feature_file import require_finite, row_blocks
from mmdetpre.analysis.probes.data import ProbeData
from mmdetpre.analysis.probes.scores import KnnProbe, KnnSweep, scores
from mmdetpre.utils.progress_bar import progress_bar

NEIGHBORS = (1, 3, 5, 10, 20, 50)
METRICS = ("cosine", "l2")


def nearest(
    queries: np.ndarray,
    values: np.ndarray,
    count: int,
    metric: str = "cosine",
    *,
    exclude_self: bool = False,
    block_bytes: int = 64 << 20,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rows of each query, exact, in blocks of memory-mapped matrices.

    Args:
        queries: (m, d) float32.
        values: (n, d) float32.
        count: Neighbors k per query.
        metric: ``cosine`` (a row of zeros is as far from all) or ``l2``.
        exclude_self: Query i is row i, and no neighbor of itself.
        block_bytes: Size of the blocks that are read.
        progress: Show a progress bar.

    Returns:
        (m, k) int64 rows, nearest first, ties in row order; (m, k) float32 cosines, or negative squared
        distances.

    Raises:
        ValueError: If the metric is unknown, there are fewer than k rows, or a value is not finite.
    """
    if metric not in METRICS:
        raise ValueError(f"The metric '{metric}' is unknown: choose one of {', '.join(METRICS)}.")
    most = len(values) - exclude_self
    if not 1 <= count <= most:
        raise ValueError(f"{count} neighbors of {most} images: give numbers from 1 to {most}.")
    rows = np.zeros((len(queries), count), np.int64)
    near = np.full((len(queries), count), -np.inf, np.float32)
    block_bytes = min(
        block_bytes, 4 * values.shape[1] * math.isqrt(block_bytes // 4)
    )  # products of two blocks count too
    with progress_bar(total=len(queries), unit="img", desc="neighbors", disable=not progress) as bar:
        for block in row_blocks(queries, block_bytes):
            ours = _prepared(queries[block], metric, "queries")
            for other in row_blocks(values, block_bytes):
                theirs = _prepared(values[other], metric, "features")
                close = ours @ theirs.T
                if metric == "l2":
                    close = 2 * close - (ours**2).sum(axis=1)[:, None] - (theirs**2).sum(axis=1)
                if exclude_self:
                    same = np.arange(max(block.start, other.start), min(block.stop, other.stop))
                    close[same - block.start, same - other.start] = -np.inf
                best = _largest(np.concatenate([near[block], close], axis=1), count)
                numbers = np.broadcast_to(np.arange(other.start, other.stop), close.shape)
                rows[block] = np.take_along_axis(np.concatenate([rows[block], numbers], axis=1), best, axis=1)
                near[block] = np.take_along_axis(np.concatenate([near[block], close], axis=1), best, axis=1)
            bar.update(block.stop - block.start)
    return rows, near


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """(m, count) columns of the largest values of each row, descending, ties in column order."""
    least = np.partition(values, -count, axis=1)[:, -count]
    row, column = np.nonzero(values >= least[:, None])
    order = np.lexsort((column, -values[row, column], row))
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    return column[place < count].reshape(len(values), count)


def vote(labels: np.ndarray, weights: np.ndarray, classes: int, counts: Sequence[int]) -> np.ndarray:
    """Predicted classes of queries by the votes of their k nearest, for several k.

    Args:
        labels: (m, K) classes of the neighbors, nearest first.
        weights: (m, K) what the vote of each counts.
        classes: Number of classes.
        counts: The ks, at most K.

    Returns:
        (len(counts), m) int64; ties go to the class with the nearest neighbor.

    Example:
        >>> vote(np.array([[1, 0, 0]]), np.ones((1, 3)), 2, [1, 2, 3]).tolist()
        [[1], [1], [0]]
    """
    votes = np.zeros((len(labels), classes))
    queries, predicted = np.arange(len(labels)), {}
    for place in range(max(counts)):
        votes[queries, labels[:, place]] += weights[:, place]
        if place + 1 in counts:
            most = votes[queries[:, None], labels[:, : place + 1]] >= votes.max(axis=1, keepdims=True) * (1 - 1e-12)
            predicted[place + 1] = labels[queries, most.argmax(axis=1)]
    return np.stack([predicted[count] for count in counts]).astype(np.int64)


def vote_weights(near: np.ndarray, metric: str, weighted: bool) -> np.ndarray:
    """What votes count: 1, or if ``weighted`` the cosine (at least 0), or one over the distance.

    Args:
        near: (n, k) cosine of each neighbor, or minus its squared distance, see :func:`nearest`.
        metric: ``cosine`` or ``l2``.
        weighted: Weight the votes; otherwise each counts 1.
    """
    if not weighted:
        return np.ones(near.shape)
    return np.maximum(near, 0.0) if metric == "cosine" else 1 / np.sqrt(np.maximum(-near, 1e-12))


def knn_probe(
    data: ProbeData,
    counts: Sequence[int] = NEIGHBORS,
    metric: str = "cosine",
    weighted: bool = False,
    *,
    progress: bool = True,
) -> KnnProbe:
    """k-NN with the k that serves the training images best, each left out once; tested once.

    Args:
        data: Features; they are compared as they are.
        counts: The ks to choose from; those above the number of training images are skipped.
        metric: ``cosine`` or ``l2``.
        weighted: See :func:`vote_weights`.
        progress: Show progress bars.

    Raises:
        ValueError: If there is no k to try, or as :func:`nearest` does.
    """
    usable = sorted({count for count in counts if 1 <= count < len(data.train)})
    if not usable:
        raise ValueError(f"No k of {list(counts)} is from 1 to {len(data.train) - 1}: give such numbers.")
    rows, near = nearest(data.train, data.train, usable[-1], metric, exclude_self=True, progress=progress)
    weights = vote_weights(near, metric, weighted)
    guesses = vote(data.train_labels[rows], weights, len(data.classes), usable)
    right = [float(np.mean(guess == data.train_labels)) for guess in guesses]
    chosen = usable[int(np.argmax(right))]
    rows, near = nearest(data.test, data.train, chosen, metric, progress=progress)
    weights = vote_weights(near, metric, weighted)
    (predicted,) = vote(data.train_labels[rows], weights, len(data.classes), [chosen])
    return KnnProbe(
        layer=data.layer,
        classes=data.classes,
        **vars(data.origin),
        probe="knn",
        values=data.train.shape[1],
        **vars(scores(predicted, data.test_labels)),
        neighbors=chosen,
        metric=metric,
        weighted=weighted,
        sweep=KnnSweep(tuple(usable), tuple(right)),
        notes=(),
    )


def _prepared(values: np.ndarray, metric: str, name: str) -> np.ndarray:
    if metric == "l2":
        require_finite(values, name)
        return values
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    require_finite(lengths, name)
    return values / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]
