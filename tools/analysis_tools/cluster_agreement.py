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
import sys
from pathlib import Path

from mmdetpre.analysis.clusters.agreement import compare_clusters, format_agreement
from mmdetpre.analysis.clusters.kmeans import DEFAULT_KS, check_ks, kmeans_sweep
from mmdetpre.analysis.clusters.plot import draw_cluster_agreement
from mmdetpre.analysis.features.spaces import open_spaces
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.utils.file_arguments import named_files, require_new_files
from mmdetpre.utils.whole_file import write_figure, write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--run", action="append", required=True, metavar="NAME=FOLDER", help="a name and its features; give two"
    )
    parser.add_argument("--layer", nargs="+", help="layer of both, or one of each; not needed where there is one only")
    parser.add_argument(
        "--k", type=int, nargs="+", default=DEFAULT_KS, help=f"numbers of clusters ({' '.join(map(str, DEFAULT_KS))})"
    )
    parser.add_argument("--samples", type=int, default=100_000, help="pairs per k and direction (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of k-means and of the pairs (%(default)s)")
    parser.add_argument("--threads", type=int, help="cores for k-means (all)")
    parser.add_argument(
        "--clusters", type=Path, default=Path("work_dirs/clusters"), help="where clusters are kept (%(default)s)"
    )
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="numbers to write (.json)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".json",))], force=args.force)
    if args.samples < 1:
        raise ValueError(f"--samples {args.samples}: give 1 or more.")
    spaces = open_spaces(named_files(args.run, "ImageNet=work_dirs/features/imagenet"), args.layer)
    clusters = []
    for space in spaces:
        check_ks(args.k, len(space.values))
        print(f"{space.name}, {space.layer}: {len(space.values)} images", file=sys.stderr)
        clusters.append(
            kmeans_sweep(
                space.values,
                sorted(args.k),
                seed=args.seed,
                folder=args.clusters,
                threads=args.threads,
                progress=True,
            )
        )
    names = [space.name for space in spaces]
    result = compare_clusters(names, *clusters, samples=args.samples, seed=args.seed)
    result |= {"images": len(spaces[0].values), "spaces": [space.describe() for space in spaces]}
    print(format_agreement(result))
    if any(None in way["exact"] for way in result["directions"]):
        print("-: no two images share a cluster there")
    if args.out:
        write_json(args.out, result)
    if args.plot:
        write_figure(args.plot, draw_cluster_agreement(result, title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    run_tool(main)
