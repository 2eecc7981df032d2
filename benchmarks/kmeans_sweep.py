"""K-means for many numbers of clusters: our sweep against scikit-learn's KMeans as it comes, one k after the other.

    python benchmarks/kmeans_sweep.py                               # 2,000 images x 256
    python benchmarks/kmeans_sweep.py --images 10000 --dims 2048 --starts 1 10

Both cluster the same features for the same numbers; --starts is scikit-learn's n_init, of which it keeps the best (10
was its default for long). The inertia, the sum of squared distances to the centres, tells how good clusters are. Then
exact and sampled agreement with a second space are measured.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from pair_search import drawn
from sklearn.cluster import KMeans

from mmdetpre.analysis.cluster_agreement import count_pairs, sample_agreement
from mmdetpre.analysis.clusters import DEFAULT_KS, kmeans_sweep


def inertia(features: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Sum of squared distances of the rows to the mean of their cluster."""
    sums = np.zeros((k, features.shape[1]))
    np.add.at(sums, labels, features)
    means = sums / np.bincount(labels, minlength=k)[:, None]
    parts = range(0, len(features), 1000)
    return float(sum(((features[s : s + 1000] - means[labels[s : s + 1000]]) ** 2).sum() for s in parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--k", type=int, nargs="+", default=DEFAULT_KS)
    parser.add_argument("--starts", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--ours-only", action="store_true")
    args = parser.parse_args()
    features = drawn(args.images, args.dims)
    print(f"{len(args.k)} numbers of clusters to {max(args.k)}, {args.images:,} x {args.dims}, {args.threads} cores")
    KMeans(2, n_init=1).fit(features[:100])
    began, worked = time.perf_counter(), time.process_time()
    swept = kmeans_sweep(features, args.k, threads=args.threads, progress=True)
    ours, cpu = time.perf_counter() - began, time.process_time() - worked
    quality = sum(inertia(features, labels, k) for k, labels in swept.items())
    print(f"{'':32}{'seconds':>9}{'x ours':>8}{'CPU s':>8}   inertia over ours")
    print(f"{'ours':32}{ours:9.1f}{1:8.1f}{cpu:8.1f}   {1:.4f}")
    for starts in () if args.ours_only else args.starts:
        began, worked = time.perf_counter(), time.process_time()
        plain = {k: KMeans(k, n_init=starts, random_state=0).fit(features).labels_ for k in args.k}
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        ratio = sum(inertia(features, labels, k) for k, labels in plain.items()) / quality
        print(f"{f'KMeans(n_init={starts})':32}{seconds:9.1f}{seconds / ours:8.1f}{cpu:8.1f}   {ratio:.4f}")

    k = max(args.k)
    other = swept[k][np.random.default_rng(1).permutation(args.images)]
    began = time.perf_counter()
    exact = count_pairs(swept[k], other).agreement()
    counted = time.perf_counter() - began
    began = time.perf_counter()
    drawn_pairs = sample_agreement(swept[k], other)
    sampled = time.perf_counter() - began
    band = f"{100 * drawn_pairs.low:.3f} to {100 * drawn_pairs.high:.3f} %"
    print(f"agreement at {k} clusters: exact {100 * exact:.3f} % in {1000 * counted:.1f} ms,", end=" ")
    print(f"100,000 sampled pairs {band} in {1000 * sampled:.1f} ms")


if __name__ == "__main__":
    main()
