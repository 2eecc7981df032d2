"""How similar are the layers of two networks? Linear CKA of every layer of one with every layer of the other.

A run is a folder of features of extract_features.py with one or more layers; both hold the same images. 1 means the
same up to rotation and scale, values around 0 unrelated. Unbiased, from minibatches that are dealt out --epochs times.

Example: python tools/analysis_tools/cka.py --run ImageNet=work_dirs/features/imagenet \\
    --run OpenImages=work_dirs/features/openimages --plot cka.png --out cka.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.analysis.cka.cka import layer_cka
from mmdetpre.analysis.cka.plot import draw_layer_similarity
from mmdetpre.analysis.cka.table import format_cka, to_dict, write_csv
from mmdetpre.analysis.features.spaces import open_layers
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.utils.file_arguments import named_files, require_new_files
from mmdetpre.utils.whole_file import write_figure, write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--run", action="append", required=True, metavar="NAME=FOLDER", help="a name and its features; give two"
    )
    parser.add_argument("--layers", nargs="+", help="layers to compare, those of them that a run has (all)")
    parser.add_argument("--batch-size", type=int, default=256, help="images per minibatch (%(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="how often the images are dealt out (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the deal (%(default)s)")
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="numbers to write, .json or .csv")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".json", ".csv"))], force=args.force)
    files = named_files(args.run, "ImageNet=work_dirs/features/imagenet")
    a, b = open_layers(files, args.layers)
    found = layer_cka(a, b, batch_size=args.batch_size, epochs=args.epochs, seed=args.seed, progress=True)
    result = to_dict(found, list(files), [list(a), list(b)], epochs=args.epochs, seed=args.seed)
    print(format_cka(result))
    for path in filter(None, (args.out, args.plot)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if args.out:
        write = write_csv if args.out.suffix == ".csv" else write_json
        write(args.out, result)
    if args.plot:
        write_figure(args.plot, draw_layer_similarity(found.cka, list(files), [list(a), list(b)], title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    run_tool(main)
