"""Closest pairs of a feature space: ours, block by block, against the whole matrix in NumPy and scikit-learn.

    python benchmarks/pair_search.py                                   # 6,000 images x 2,048
    python benchmarks/pair_search.py --images 10000 --metric l2

Every program finds the same pairs in a memory-mapped file and runs in a process of its own, so that peak memory is its
own too, the program's start left out. scikit-learn takes the nearest neighbours of every image, which hold the closest
pairs only if no image is in more of them than neighbours are asked for; here in no more than 20.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mmdetpre.analysis.closest_pairs import METRICS, closest_pairs

NEIGHBOURS = 20
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
    distance, other = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(values).kneighbors()
    first = np.repeat(np.arange(len(values)), NEIGHBOURS)
    kept = first < other.ravel()
    order = np.argsort(distance.ravel()[kept], kind="stable")[:count]
    return first[kept][order], other.ravel()[kept][order]


def measure(work: Callable[[np.ndarray, int, str], _Found], path: str, count: int, metric: str, repeats: int) -> tuple:
    """Median seconds, megabytes at the peak beyond those at the start, and the pairs."""
    features = np.load(path, mmap_mode="r").view(np.ndarray)
    work(features[:200], count, metric)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = work(features, count, metric)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--dims", type=int, default=2048)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--metric", choices=METRICS, default="correlation")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    programs: dict[str, Callable[[np.ndarray, int, str], _Found]] = {
        "ours": ours,
        "whole matrix in NumPy": whole_matrix,
    }
    if args.metric != "inner":  # scikit-learn knows no neighbours by inner product
        programs[f"{NEIGHBOURS} neighbours by scikit-learn"] = neighbours
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "features.npy")
        np.save(path, drawn(args.images, args.dims))
        size = os.path.getsize(path) / 2**20
        print(f"{args.pairs} closest pairs of {args.images:,} x {args.dims} features ({size:.0f} MB), {args.metric}")
        print(f"{'':32}{'seconds':>9}{'x ours':>8}{'MB':>8}   pairs that are ours")
        results = {}
        for name, work in programs.items():
            pool = get_context("spawn").Pool(1)
            results[name] = pool.apply(measure, (work, path, args.pairs, args.metric, args.repeats))
            pool.close()
            pool.join()
            seconds, memory, found = results[name]
            reference = {*zip(*(part.tolist() for part in results["ours"][2]), strict=True)}
            equal = len(reference & {*zip(*(part.tolist() for part in found), strict=True)})
            ratio = seconds / results["ours"][0]
            print(f"{name:32}{seconds:9.2f}{ratio:8.2f}{memory:8.0f}   {equal} of {args.pairs}")


if __name__ == "__main__":
    main()
