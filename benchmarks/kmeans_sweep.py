"""K-means for many numbers of clusters: our sweep against scikit-learn's KMeans as it comes, one k after the other.

    python benchmarks/kmeans_sweep.py                               # 2,000 images x 256
    python benchmarks/kmeans_sweep.py --images 10000 --dims 2048 --starts 1 10

Both cluster the same features for the same numbers; --starts is scikit-learn's n_init, of which it keeps the best (10
was its default for long). The inertia, the sum of squared distances to the centres, tells how good clusters are. Then
exact and sampled agreement with a second space are measured. Ours takes a core per k, scikit-learn as many threads.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from functools import partial

import numpy as np
from pair_search import drawn
from side_by_side import Row, in_turn, run
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from mmdetpre.analysis.clusters.agreement import count_pairs, sample_agreement
from mmdetpre.analysis.clusters.kmeans import DEFAULT_KS, kmeans_sweep


def inertia(features: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Sum of squared distances of the rows to the mean of their cluster."""
    sums = np.zeros((k, features.shape[1]))
    np.add.at(sums, labels, features)
    means = sums / np.bincount(labels, minlength=k)[:, None]
    parts = range(0, len(features), 1000)
    return float(sum(((features[s : s + 1000] - means[labels[s : s + 1000]]) ** 2).sum() for s in parts))


def one_after_the_other(features: np.ndarray, ks: list[int], starts: int, threads: int) -> dict[int, np.ndarray]:
    with threadpool_limits(threads):
        return {k: KMeans(k, n_init=starts, random_state=0).fit(features).labels_ for k in ks}


def rows(args: argparse.Namespace) -> Iterator[Row]:
    features = drawn(args.images, args.dims)
    ways = {"ours": partial(kmeans_sweep, features, args.k, threads=args.threads)}
    for starts in args.starts:
        ways[f"n_init={starts}"] = partial(one_after_the_other, features, args.k, starts, args.threads)
    KMeans(2, n_init=1).fit(features[:100])
    times = in_turn(ways, args.repeats, warm_up=False)
    quality = {
        name: sum(inertia(features, labels, k) for k, labels in timing.result.items()) for name, timing in times.items()
    }
    what = f"k-means for {len(args.k)} k up to {max(args.k):,}, {args.images:,} x {args.dims:,}, {args.threads} cores"
    for name in list(ways)[1:]:
        against = f"scikit-learn's KMeans({name}), inertia {quality[name] / quality['ours']:.4f} of ours"
        yield Row(what=what, unit="s", ours=times["ours"].median, theirs=times[name].median, against=against)

    k = max(args.k)
    labels = times["ours"].result[k]
    other = labels[np.random.default_rng(1).permutation(args.images)]
    times = in_turn({"exact": lambda: count_pairs(labels, other), "drawn": lambda: sample_agreement(labels, other)}, 5)
    if not times["drawn"].result.low <= times["exact"].result.agreement() <= times["drawn"].result.high:
        raise RuntimeError("The exact agreement lies outside the interval of the sampled pairs")
    yield Row(
        what=f"agreement of clusters, all {args.images * (args.images - 1) // 2:,} pairs", unit="ms",
        ours=1e3 * times["exact"].median, theirs=1e3 * times["drawn"].median,
        against="100,000 drawn pairs, as in the paper (exact value in their interval)",
    )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--k", type=int, nargs="+", default=DEFAULT_KS)
    parser.add_argument("--starts", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
