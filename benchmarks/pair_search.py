"""Closest pairs of a feature space: ours, block by block, against the whole matrix in NumPy and scikit-learn.

    python benchmarks/pair_search.py                                   # 4,000 images x 2,048
    python benchmarks/pair_search.py --images 10000 --metric l2

Every program finds the same pairs in a memory-mapped file. Memory is what the search adds at its peak in a process of
its own. scikit-learn takes the nearest neighbours of every image, which hold the closest pairs only if no image is in
more of them than neighbours are asked for; here in no more than 20. The limit is half of one product of all rows with
all rows: every pair once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from side_by_side import Row, alone, in_turn, memory_of, run

from mmdetpre.analysis.closest_pairs.search import METRICS, closest_pairs

NEIGHBORS = 20
_Found = tuple[np.ndarray, np.ndarray]


def drawn(images: int, dimensions: int) -> np.ndarray:
    """Features of 200 groups, without negative values and about half of them small, as pooled ones are."""
    random = np.random.default_rng(0)
    groups = random.gamma(0.5, size=(200, dimensions))
    values = np.empty((images, dimensions), np.float32)
    for row in range(images):
        values[row] = groups[row % 200] * 0.7 + random.gamma(0.5, size=dimensions) * 0.6
    return values


def ours(features: np.ndarray, count: int, metric: str) -> _Found:
    pairs = closest_pairs(features, count, metric)
    return pairs.i, pairs.j


def whole_matrix(features: np.ndarray, count: int, metric: str) -> _Found:
    """All products at once, then the greatest."""
    values = np.asarray(features)
    similarity = np.corrcoef(values, dtype=np.float32) if metric == "correlation" else values @ values.T
    if metric == "l2":
        squares = similarity.diagonal().copy()
        similarity = 2 * similarity - squares - squares[:, None]
    similarity[np.tri(len(similarity), dtype=bool)] = -np.inf
    best = np.argpartition(similarity.ravel(), -count)[-count:]
    best = best[np.argsort(-similarity.ravel()[best], kind="stable")]
    i, j = np.divmod(best, len(similarity))
    return i, j


def neighbours(features: np.ndarray, count: int, metric: str) -> _Found:
    """Nearest neighbours of each image by scikit-learn, then the closest of them."""
    from sklearn.neighbors import NearestNeighbors

    values = np.asarray(features)
    if metric == "correlation":
        values = values - values.mean(axis=1, keepdims=True)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    distance, other = NearestNeighbors(n_neighbors=NEIGHBORS, algorithm="brute").fit(values).kneighbors()
    first = np.repeat(np.arange(len(values)), NEIGHBORS)
    kept = first < other.ravel()
    order = np.argsort(distance.ravel()[kept], kind="stable")[:count]
    return first[kept][order], other.ravel()[kept][order]


PROGRAMS: dict[str, Callable[[np.ndarray, int, str], _Found]] = {
    "ours": ours,
    "the whole matrix in NumPy": whole_matrix,
    f"{NEIGHBORS} neighbours by scikit-learn": neighbours,
}


def added_megabytes(name: str, path: str, count: int, metric: str) -> float:
    """MB at the peak of a search, pages of the file included."""
    features = np.load(path, mmap_mode="r").view(np.ndarray)
    PROGRAMS[name](features[:200], count, metric)
    return memory_of(lambda: PROGRAMS[name](features, count, metric))[2]


def product(path: str) -> None:
    values = np.load(path)
    for start in range(0, len(values), 1000):
        values[start : start + 1000] @ values.T


def rows(args: argparse.Namespace) -> Iterator[Row]:
    names = [name for name in PROGRAMS if args.metric != "inner" or "scikit-learn" not in name]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "features.npy")
        np.save(path, drawn(args.images, args.dims))
        features = np.load(path, mmap_mode="r").view(np.ndarray)
        ways = {name: partial(PROGRAMS[name], features, args.pairs, args.metric) for name in names}
        times = in_turn({**ways, "product": partial(product, path)}, args.repeats)
        memory = {name: alone(added_megabytes, name, path, args.pairs, args.metric) for name in names}
    pairs = {name: set(zip(*(part.tolist() for part in times[name].result), strict=True)) for name in names}
    what = f"{args.pairs} closest pairs of {args.images:,} x {args.dims:,}, {args.metric}"
    for name in names[1:]:
        same = len(pairs["ours"] & pairs[name])
        if same < 0.99 * args.pairs:
            raise RuntimeError(f"{name} finds {same} of the {args.pairs} pairs only")
        against = f"{name} ({same} of {args.pairs} pairs are ours)"
        yield Row(
            what=what, unit="s", ours=times["ours"].median, theirs=times[name].median, against=against,
            limit=times["product"].median / 2, limit_is="half of one product of all rows",
        )  # fmt: skip
        memory_is = f"{what}: memory added"
        yield Row(what=memory_is, unit="MB", ours=memory["ours"], theirs=memory[name], against=name)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--dims", type=int, default=2048)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--metric", choices=METRICS, default="correlation")
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
