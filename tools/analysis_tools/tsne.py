"""Maps of the same images in the feature spaces of several checkpoints, a few classes coloured: Figure 7 of the paper.

A run is a folder of features of extract_features.py; all hold the same images in one order. t-SNE with Barnes-Hut's
approximation lays all images out; --classes says how many classes are coloured (drawn by --seed), or which.

Example: python tools/analysis_tools/tsne.py --run ImageNet=work_dirs/features/imagenet \\
    --run OpenImages=work_dirs/features/openimages --layer conv5_pooled --classes 10 --plot tsne.png --out tsne.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.analysis.features.feature_file import read_features, require_finite, require_same_images
from mmdetpre.analysis.features.select_classes import choose_classes, classes_apart
from mmdetpre.analysis.tsne.plot import check_shown, draw_tsne_maps
from mmdetpre.analysis.tsne.table import write_maps
from mmdetpre.analysis.tsne.tsne import COMPONENTS, PERPLEXITY, THETA, check_settings, tsne_maps
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.utils.file_arguments import named_files, require_new_files
from mmdetpre.utils.whole_file import write_figure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--run", action="append", required=True, metavar="NAME=FOLDER", help="a name and its features; repeat for more"
    )
    parser.add_argument("--layer", nargs="+", help="layer of all, or one of each; not needed where there is one only")
    parser.add_argument(
        "--classes", nargs="+", default=["10"], metavar="N|NAME", help="how many are coloured, or which (10)"
    )
    parser.add_argument(
        "--choice",
        choices=("random", "apart"),
        default="random",
        help="of so many classes: drawn by --seed, or those that lie farthest apart in all spaces (%(default)s)",
    )
    parser.add_argument("--perplexity", type=float, default=PERPLEXITY, help="neighbours that count (%(default)g)")
    parser.add_argument("--theta", type=float, default=THETA, help="0: exact sums, 1: coarse (%(default)g)")
    parser.add_argument(
        "--components", type=int, default=COMPONENTS, help="principal components to start from, 0: all (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of classes and maps (%(default)s)")
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="places of the images to write (.csv, .json)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".csv", ".json"))], force=args.force)
    if not (args.plot or args.out):
        raise ValueError("Nothing is to be written: give --plot, --out or both.")
    files = {name: read_features(path) for name, path in named_files(args.run, "ImageNet=features/a").items()}
    layers = (args.layer or [None]) * (1 if args.layer and len(args.layer) > 1 else len(files))
    if len(layers) != len(files):
        raise ValueError(f"{len(layers)} layers for {len(files)} runs: give the one of all, or one of each.")
    first = next(iter(files.values()))
    require_same_images(*files.values())
    check_settings(len(first), args.perplexity, args.theta, args.components)
    one_number = len(args.classes) == 1 and args.classes[0] not in first.classes and args.classes[0].isdecimal()
    wanted = int(args.classes[0]) if one_number else args.classes
    if one_number:
        check_shown(range(int(args.classes[0])))
    spaces = {}
    for (name, file), layer in zip(files.items(), layers, strict=True):
        spaces[name] = file.layer(layer)
        require_finite(spaces[name], f"{layer or next(iter(file.layers))} of '{name}'")
    if one_number and args.choice == "apart":
        shown = classes_apart(list(spaces.values()), first.labels, int(args.classes[0]))
    else:
        shown = choose_classes(first.labels, first.classes, wanted, seed=args.seed)
        check_shown(shown)
    settings = {name: getattr(args, name) for name in ("perplexity", "theta", "components", "seed")}
    maps = tsne_maps(spaces, **settings, progress=True)
    for name, one in maps.items():
        print(f"{name}: {len(one.points)} images, Kullback-Leibler divergence {one.kl_divergence:.3f} nats")
    print(f"Coloured: {', '.join(first.classes[i] if first.classes else str(i) for i in shown)}")
    if args.out:
        runs = [
            {"name": name, "file": str(file.path), "layer": layer}
            for (name, file), layer in zip(files.items(), layers, strict=True)
        ]
        write_maps(args.out, maps, first, shown, {**settings, "runs": runs})
    if args.plot:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        points = {name: one.points for name, one in maps.items()}
        write_figure(args.plot, draw_tsne_maps(points, first.labels, first.classes, shown, title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    run_tool(main)
