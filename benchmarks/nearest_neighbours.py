"""Nearest neighbours of the k-NN probe: ours, block by block, against scikit-learn's, on the same features.

    python benchmarks/nearest_neighbours.py                     # 2,000 queries in 4,000 images x 2,048

Both find 50 neighbours by cosine with one thread, and the neighbours are compared. Memory is what the search adds at
its peak in a process of its own. The limit is the product of all queries with all images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from pair_search import drawn
from side_by_side import Row, alone, in_turn, memory_of, run
from sklearn.neighbors import NearestNeighbors

from mmdetpre.analysis.probes.knn import nearest

COUNT = 50


def ours(queries: np.ndarray, values: np.ndarray) -> np.ndarray:
    return nearest(queries, values, COUNT)[0]


def by_sklearn(queries: np.ndarray, values: np.ndarray) -> np.ndarray:
    search = NearestNeighbors(n_neighbors=COUNT, algorithm="brute", metric="cosine")
    return search.fit(values).kneighbors(queries, return_distance=False)


PROGRAMS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"ours": ours, "sklearn": by_sklearn}


def added_megabytes(name: str, images: int, dims: int) -> float:
    features = drawn(images + images // 2, dims)
    return memory_of(partial(PROGRAMS[name], features[images:], features[:images]))[2]


def rows(args: argparse.Namespace) -> Iterator[Row]:
    features = drawn(args.images + args.images // 2, args.dims)
    values, queries = features[: args.images], features[args.images :]
    ways: dict[str, Callable] = {name: partial(work, queries, values) for name, work in PROGRAMS.items()}
    times = in_turn({**ways, "product": lambda: queries @ values.T}, args.repeats)
    same = 100 * float(np.mean(np.sort(times["ours"].result) == np.sort(times["sklearn"].result)))
    if same < 99.9:
        raise RuntimeError(f"Only {same:.2f} % of the neighbours are the same")
    what = f"{COUNT} neighbours of {len(queries):,} in {args.images:,} x {args.dims:,}"
    against = f"scikit-learn's NearestNeighbors ({same:.2f} % the same)"
    yield Row(
        what=what, unit="s", ours=times["ours"].median, theirs=times["sklearn"].median, against=against,
        limit=times["product"].median, limit_is="the product of queries and images",
    )  # fmt: skip
    memory = {name: alone(added_megabytes, name, args.images, args.dims) for name in PROGRAMS}
    yield Row(what=f"{what}: memory added", unit="MB", ours=memory["ours"], theirs=memory["sklearn"], against=against)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--dims", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
