"""The most similar pairs of images in two feature spaces, and those close in one and distant in the other: Figure 5.

A run is a folder of features of extract_features.py; both hold the same images. Four lists: the closest pairs of either
space, and the pairs that share one of --close-k clusters in one space but none of --distant-k clusters in the other,
the most similar first. Pairs are found exactly. Clusters are kept in --clusters and used again.

Example: python tools/analysis_tools/closest_pairs.py --run ImageNet=work_dirs/features/imagenet \\
    --run OpenImages=work_dirs/features/openimages --layer conv5_pooled \\
    --plot pairs.png --out pairs.json
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from mmdetpre.analysis.closest_pairs.plot import draw_pairs, find_photos, read_photos
from mmdetpre.analysis.closest_pairs.report import (
    CLASSES,
    CLOSE_K,
    DISTANT_K,
    check_numbers_of_clusters,
    check_spaces,
    report_pairs,
)
from mmdetpre.analysis.closest_pairs.search import METRICS
from mmdetpre.analysis.clusters.kmeans import cluster_spaces
from mmdetpre.analysis.features.spaces import image_root, open_spaces
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
    parser.add_argument("--metric", choices=METRICS, default="correlation", help="similarity (%(default)s)")
    parser.add_argument("--pairs", type=int, default=6, help="pairs per list (%(default)s)")
    parser.add_argument("--classes", choices=CLASSES, default="all", help="pairs of which classes (%(default)s)")
    parser.add_argument(
        "--skip-duplicates", type=float, metavar="VALUE", help="leave out pairs at least so similar, or so near by l2"
    )
    parser.add_argument("--once", action="store_true", help="show each image in one pair of a list at most")
    parser.add_argument("--close-k", type=int, default=CLOSE_K, help="clusters that close pairs share (%(default)s)")
    parser.add_argument(
        "--distant-k", type=int, default=DISTANT_K, help="clusters that distant ones do not (%(default)s)"
    )
    parser.add_argument("--closest-only", action="store_true", help="without the close and distant pairs")
    parser.add_argument("--image-root", type=Path, help="folder of the images, if they have moved since")
    add_kmeans(parser)
    add_outputs(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args)
    spaces = open_spaces(feature_runs(args), args.layer)
    if args.pairs < 1:
        raise ValueError(f"--pairs {args.pairs}: give 1 or more.")
    check_spaces(spaces, args.metric)
    root = args.image_root or image_root(spaces[0].file)
    ks = (args.close_k, args.distant_k)
    if not args.closest_only:
        check_numbers_of_clusters(len(spaces[0].file), *ks)
    if args.plot:  # before the work, not after it
        find_photos(spaces[0].file.images, root)
    clusters = None
    if not args.closest_only:
        swept = cluster_spaces(spaces, ks, seed=args.seed, folder=args.clusters, threads=args.threads)
        clusters = [(found[args.close_k], found[args.distant_k]) for found in swept]
    report = report_pairs(
        spaces,
        args.pairs,
        args.metric,
        clusters=clusters,
        classes=args.classes,
        duplicates=args.skip_duplicates,
        once=args.once,
        progress=True,
    )
    if not args.closest_only:
        report = replace(report, close_k=args.close_k, distant_k=args.distant_k, seed=args.seed)
    photos = read_photos(report, root) if args.plot else {}
    write_outputs(args, report, lambda: draw_pairs(report, photos, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main)
