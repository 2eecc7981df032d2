"""Do images that share a cluster in one feature space share one in another? Over the number of clusters: Figure 6.

A run is a folder of features of extract_features.py; both hold the same images. Images of both spaces are clustered by
k-means for every k; --samples random pairs of images of one cluster are considered in the other space, in both
directions, with the 95 % interval of this draw, beside the exact value of all pairs and the chance value. The clusters
of each k are kept in --clusters once found: a run that was stopped resumes from there.

Example: python tools/analysis_tools/cluster_agreement.py --run ImageNet=work_dirs/features/imagenet \\
    --run OpenImages=work_dirs/features/openimages --layer conv5_pooled --plot agreement.png --out agreement.json
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from mmdetpre.analysis.clusters.agreement import compare_clusters
from mmdetpre.analysis.clusters.kmeans import DEFAULT_KS, cluster_spaces
from mmdetpre.analysis.clusters.plot import draw_cluster_agreement
from mmdetpre.analysis.features.spaces import open_spaces
from mmdetpre.cli.result_files import (
    add_feature_runs,
    add_kmeans,
    add_outputs,
    check_outputs,
    feature_runs,
    write_outputs,
)
from mmdetpre.cli.run_tool import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_feature_runs(parser)
    parser.add_argument("--layer", nargs="+", help="layer of both, or one of each; not needed where there is one only")
    parser.add_argument(
        "--k", type=int, nargs="+", default=DEFAULT_KS, help=f"numbers of clusters ({' '.join(map(str, DEFAULT_KS))})"
    )
    parser.add_argument("--samples", type=int, default=100_000, help="pairs per k and direction (%(default)s)")
    add_kmeans(parser)
    add_outputs(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args)
    if args.samples < 1:
        raise ValueError(f"--samples {args.samples}: give 1 or more.")
    spaces = open_spaces(feature_runs(args), args.layer)
    clusters = cluster_spaces(spaces, sorted(args.k), seed=args.seed, folder=args.clusters, threads=args.threads)
    names = [space.name for space in spaces]
    result = compare_clusters(names, *clusters, samples=args.samples, seed=args.seed)
    result = replace(result, images=len(spaces[0].file), spaces=tuple(space.describe() for space in spaces))
    write_outputs(args, result, lambda: draw_cluster_agreement(result, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main)
