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
import sys
from pathlib import Path

import numpy as np

from mmdetpre.analysis.closest_pairs.plot import draw_pairs, find_photos, read_photos
from mmdetpre.analysis.closest_pairs.report import (
    CLASSES,
    CLOSE_K,
    DISTANT_K,
    check_numbers_of_clusters,
    check_spaces,
    format_pairs,
    report_pairs,
)
from mmdetpre.analysis.closest_pairs.search import METRICS
from mmdetpre.analysis.clusters.kmeans import kmeans_sweep
from mmdetpre.analysis.features.spaces import image_root, open_spaces
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.utils.file_arguments import named_files, require_new_files
from mmdetpre.utils.whole_file import write_figure, write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--run", action="append", required=True, metavar="NAME=FOLDER", help="a name and its features; give two"
    )
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
    parser.add_argument("--seed", type=int, default=0, help="seed of k-means (%(default)s)")
    parser.add_argument("--threads", type=int, help="cores for k-means (all)")
    parser.add_argument(
        "--clusters", type=Path, default=Path("work_dirs/clusters"), help="where clusters are kept (%(default)s)"
    )
    parser.add_argument("--image-root", type=Path, help="folder of the images, if they have moved since")
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="numbers to write (.json)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".json",))], force=args.force)
    spaces = open_spaces(named_files(args.run, "ImageNet=work_dirs/features/imagenet"), args.layer)
    if args.pairs < 1:
        raise ValueError(f"--pairs {args.pairs}: give 1 or more.")
    if not args.closest_only:
        check_numbers_of_clusters(len(spaces[0].values), args.close_k, args.distant_k)
    check_spaces(spaces, args.metric)
    root = args.image_root or image_root(spaces[0].file)
    if args.plot:  # before the work, not after it
        find_photos(spaces[0].file.images, root)
    clusters: list[tuple[np.ndarray, np.ndarray]] | None = None
    if not args.closest_only:
        ks = (args.close_k, args.distant_k)
        clusters = []
        for space in spaces:
            print(f"{space.name}: {ks[0]} and {ks[1]} clusters", file=sys.stderr)
            found = kmeans_sweep(
                space.values, ks, seed=args.seed, folder=args.clusters, threads=args.threads, progress=True
            )
            clusters.append((found[ks[0]], found[ks[1]]))
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
    if clusters is not None:
        report |= {"close_k": args.close_k, "distant_k": args.distant_k, "seed": args.seed}
    photos = read_photos(report, root) if args.plot else {}
    print(format_pairs(report))
    if args.out:
        write_json(args.out, report)
    if args.plot:
        write_figure(args.plot, draw_pairs(report, photos, title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    run_tool(main)
