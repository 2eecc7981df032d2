"""Table 7 in one command: every layer of a detector, extracted, probed and tabulated.

The layers of training and test images go to OUT/train and OUT/test, a result per layer and probe to OUT/results, the
table to OUT/table7.md. A stopped run resumes when it is started again; what is there already and was made from the same
inputs is used. Images come from the train and test dataloaders of --data-config (a classification config of any
toolbox), or from --images with a list of each part.

Example: python tools/analysis_tools/layer_probes.py configs/det/sniper_openimages.py epoch_14.pth \\
    --data-config configs/cls/caltech256.py --name OpenImagesV4 --data-name Caltech-256 --out work_dirs/layer_probes
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.features.image_set import ImageSet, images_of_config, images_of_folder
from mmdetpre.analysis.probes.knn import NEIGHBORS
from mmdetpre.analysis.probes.layers import probe_layers
from mmdetpre.cli.feature_arguments import add_extraction, add_linear_settings, extractor
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.paper.tables import LAYERS, TABLES, with_figures
from mmdetpre.results.transfer_tables import markdown, read_cells
from mmdetpre.transfer.load_report import BackboneNotLoaded
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="config of the detector")
    parser.add_argument("checkpoint", help="its checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--force", action="store_true", help="start from scratch, replacing what is there")
    parser.add_argument("--layers", nargs="+", default=[*LAYERS], metavar="LAYER", help="default: those of Table 7")
    data = parser.add_argument_group("images")
    data.add_argument("--data-config", type=Path, help="config with train and test dataloader of the data")
    data.add_argument("--images", type=Path, help="instead: folder with one folder of images per class")
    data.add_argument("--train-file", type=Path, help="training images of --images, one CLASS/IMAGE per line")
    data.add_argument("--test-file", type=Path, help="test images of --images")
    add_extraction(parser, data)
    probes = parser.add_argument_group("probes")
    add_linear_settings(probes)
    probes.add_argument("--no-knn", action="store_true", help="linear probes only")
    probes.add_argument("--paper", type=Path, help="JSON file with other figures of the paper")
    return parser.parse_args()


def chosen_images(args: argparse.Namespace) -> dict[str, ImageSet]:
    if bool(args.data_config) == bool(args.images):
        raise ValueError("Which images? Give either --data-config, or --images with --train-file and --test-file.")
    if args.images and not (args.train_file and args.test_file):
        raise ValueError("--images needs --train-file and --test-file: training and test images.")
    if args.images:
        lists = {"train": args.train_file, "test": args.test_file}
        return {part: images_of_folder(args.images, file) for part, file in lists.items()}
    return {part: images_of_config(args.data_config, part, args.data_options) for part in ("train", "test")}


def main() -> int:
    args = parse_args()
    tables = with_figures(args.paper) if args.paper else TABLES
    parts = chosen_images(args)
    extract = extractor(args, args.layers, args.device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
    for part, images in parts.items():
        extract(images, args.out / part)
    results = probe_layers(
        read_features(args.out / "train"),
        read_features(args.out / "test"),
        args.layers,
        args.out / "results",
        l2=args.l2,
        seeds=args.seeds,
        neighbors=None if args.no_knn else NEIGHBORS,
        overwrite=args.force,
    )
    print(*results, sep="\n")
    cells = read_cells([args.out / "results"], tables=tables).cells
    table = markdown([cell for cell in cells if cell.table == "7"], tables)
    write_text(args.out / "table7.md", f"{table}\n")
    print(f"\n{table}\n\nWritten to {args.out / 'table7.md'}")
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
