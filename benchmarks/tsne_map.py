"""t-SNE: ours, after principal components, against scikit-learn's on the features as they are.

    python benchmarks/tsne_map.py                       # 600 images x 2,048, two spaces
    python benchmarks/tsne_map.py --images 10000

Both are scikit-learn's Barnes-Hut at the paper's perplexity and theta. Ours keeps one thread, so that a seed gives the
same map to the bit, and lays out several spaces side by side, a core each; scikit-learn's gets all cores. How many of
the nearest images in the features are among the nearest in the map says that components cost nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

import numpy as np
from pair_search import drawn
from side_by_side import Row, in_turn, run
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from mmdetpre.analysis.tsne.tsne import PERPLEXITY, THETA, tsne_maps

NEAR = 2  # of the 3 images of a group


def kept_neighbors(features: np.ndarray, points: np.ndarray) -> float:
    """Share of the nearest images in the features that are nearest in the map, in percent."""
    near = [
        NearestNeighbors(n_neighbors=NEAR).fit(values).kneighbors(return_distance=False)
        for values in (features, points)
    ]
    return 100 * float(np.mean([len(np.intersect1d(a, b)) / NEAR for a, b in zip(*near, strict=True)]))


def rows(args: argparse.Namespace) -> Iterator[Row]:
    spaces = {"a": drawn(args.images, args.dims), "b": drawn(args.images, args.dims)[:, ::-1].copy()}

    def theirs() -> dict[str, np.ndarray]:
        with threadpool_limits(args.cores):
            return {
                name: TSNE(
                    perplexity=PERPLEXITY, angle=THETA, init="pca", random_state=0, n_jobs=args.cores
                ).fit_transform(space) for name, space in spaces.items()
            }  # fmt: skip

    times = in_turn({"ours": lambda: tsne_maps(spaces), "theirs": theirs}, args.repeats, warm_up=False)
    kept = kept_neighbors(spaces["a"], times["ours"].result["a"].points)
    other = kept_neighbors(spaces["a"], times["theirs"].result["a"])
    yield Row(
        what=f"t-SNE of 2 spaces of {args.images:,} x {args.dims:,}, {args.cores} cores", unit="s",
        ours=times["ours"].median, theirs=times["theirs"].median,
        against=f"scikit-learn's TSNE without components ({kept:.0f} and {other:.0f} % of {NEAR} neighbours kept)",
    )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--dims", type=int, default=2048)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
