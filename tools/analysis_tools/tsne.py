"""Maps of the same images in the feature spaces of several checkpoints, a few classes colored: Figure 7 of the paper.

A run is a folder of features of extract_features.py; all hold the same images in one order. t-SNE with Barnes-Hut's
approximation lays all images out; --classes says how many classes are colored (drawn by --seed), or which.

Example: python tools/analysis_tools/tsne.py --run ImageNet=work_dirs/features/imagenet \\
    --run OpenImages=work_dirs/features/openimages --layer conv5_pooled --classes 10 --plot tsne.png --out tsne.csv
"""

from __future__ import annotations

import argparse

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.tsne.plot import draw_tsne_maps
from mmdetpre.analysis.tsne.table import maps_of_files
from mmdetpre.analysis.tsne.tsne import COMPONENTS, PERPLEXITY, THETA
from mmdetpre.cli.result_files import add_feature_runs, add_outputs, check_outputs, feature_runs, write_outputs
from mmdetpre.cli.run_tool import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_feature_runs(parser, "repeat for more")
    parser.add_argument("--layer", nargs="+", help="layer of all, or one of each; not needed where there is one only")
    parser.add_argument(
        "--classes", nargs="+", default=["10"], metavar="N|NAME", help="how many are colored, or which (10)"
    )
    parser.add_argument(
        "--choice",
        choices=("random", "apart"),
        default="random",
        help="of so many classes: drawn by --seed, or those that lie farthest apart in all spaces (%(default)s)",
    )
    parser.add_argument("--perplexity", type=float, default=PERPLEXITY, help="neighbors that count (%(default)g)")
    parser.add_argument("--theta", type=float, default=THETA, help="0: exact sums, 1: coarse (%(default)g)")
    parser.add_argument(
        "--components", type=int, default=COMPONENTS, help="principal components to start from, 0: all (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of classes and maps (%(default)s)")
    add_outputs(parser, "places of the images to write (.csv, .json)")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args, required=True)
    files = {name: read_features(path) for name, path in feature_runs(args).items()}
    settings = {name: getattr(args, name) for name in ("perplexity", "theta", "components", "seed")}
    result = maps_of_files(files, args.layer or [None], args.classes, args.choice, **settings, progress=True)
    write_outputs(args, result, lambda: draw_tsne_maps(result, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main)
