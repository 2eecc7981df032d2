"""How similar are the layers of two networks? Linear CKA of every layer of one with every layer of the other.

A run is a folder of features of extract_features.py with one or more layers; both hold the same images. 1 means the
same up to rotation and scale, values around 0 unrelated. Unbiased, from minibatches of images that are reshuffled
--epochs times.

Example: python tools/analysis_tools/cka.py --run ImageNet=work_dirs/features/imagenet \\
    --run OpenImages=work_dirs/features/openimages --plot cka.png --out cka.json
"""

from __future__ import annotations

import argparse

from mmdetpre.analysis.cka.cka import layer_cka
from mmdetpre.analysis.cka.plot import draw_layer_similarity
from mmdetpre.analysis.features.spaces import open_layers
from mmdetpre.cli.result_files import add_feature_runs, add_outputs, check_outputs, feature_runs, write_outputs
from mmdetpre.cli.run_tool import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_feature_runs(parser)
    parser.add_argument("--layers", nargs="+", help="layers to compare, those of them that a run has (all)")
    parser.add_argument("--batch-size", type=int, default=256, help="images per minibatch (%(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="how often the images are reshuffled (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the shuffling (%(default)s)")
    add_outputs(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args)
    files = feature_runs(args)
    layers = open_layers(files, args.layers)
    settings = dict(batch_size=args.batch_size, epochs=args.epochs, seed=args.seed)
    result = layer_cka(*layers, names=list(files), **settings, progress=True)
    write_outputs(args, result, lambda: draw_layer_similarity(result, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main)
