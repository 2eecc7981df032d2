"""Table 7 in one command: every layer of a detector, extracted, probed and tabulated.

The layers of training and test images go to OUT/train and OUT/test, a result per layer and probe to OUT/results, the
table to OUT/table7.md. A stopped run resumes when it is started again; what is there already and was made of the same
is used. Images come from the train and test dataloaders of --data-config (a classification config of any toolbox), or
from --images with a list of each part.

Example: python tools/analysis_tools/layer_probes.py configs/det/sniper_openimages.py epoch_14.pth \\
    --data-config configs/cls/caltech256.py --name OpenImagesV4 --data-name Caltech-256 --out work_dirs/layer_probes
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE
from mmdetpre.analysis.features.extract import extract_features, open_feature_source
from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.features.image_set import images_of_config, images_of_folder
from mmdetpre.analysis.probes.knn import NEIGHBOURS
from mmdetpre.analysis.probes.layers import TABLE_7, probe_layers
from mmdetpre.analysis.probes.scores import result_line
from mmdetpre.analysis.probes.softmax_regression import STRENGTHS
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.paper.tables import TABLES, with_figures
from mmdetpre.results.transfer_tables import markdown, read_cells, write_tables
from mmdetpre.transfer.load_report import BackboneNotLoaded


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="config of the detector")
    parser.add_argument("checkpoint", help="its checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--force", action="store_true", help="start anew, replacing what is there")
    parser.add_argument("--layers", nargs="+", default=TABLE_7, metavar="LAYER", help="default: those of Table 7")
    data = parser.add_argument_group("images")
    data.add_argument("--data-config", type=Path, help="config with train and test dataloader of the data")
    data.add_argument("--images", type=Path, help="instead: folder with one folder of images per class")
    data.add_argument("--train-file", type=Path, help="training images of --images, one CLASS/IMAGE per line")
    data.add_argument("--test-file", type=Path, help="test images of --images")
    data.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    data.add_argument("--crop", type=int, default=CROP, help="side of the centre square in pixels (%(default)s)")
    data.add_argument("--name", help="what the table calls the weights (name of the checkpoint)")
    data.add_argument("--data-name", help="what the table calls the data (name of folder or config)")
    probes = parser.add_argument_group("probes")
    probes.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS, metavar="S", help="regularisations")
    probes.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of validation parts")
    probes.add_argument("--no-knn", action="store_true", help="linear probes only")
    probes.add_argument("--paper", type=Path, help="JSON file with other figures of the paper")
    work = parser.add_argument_group("work")
    work.add_argument("--batch-size", type=int, default=32, help="images that pass the model together (%(default)s)")
    work.add_argument("--workers", type=int, default=2, help="processes that decode images (%(default)s)")
    work.add_argument(
        "--conv5",
        choices=("trained", "config"),
        default="trained",
        help="run the backbone with the strides its weights were trained with, or as configured (%(default)s)",
    )
    work.add_argument("--device", help="such as cuda:0; default: the GPU if there is one")
    work.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of CONFIG, as key=value")
    work.add_argument("--data-options", nargs="+", action=DictAction, help="override values of --data-config")
    return parser.parse_args()


def run(args: argparse.Namespace) -> str:
    if bool(args.data_config) == bool(args.images):
        raise ValueError("Which images? Give either --data-config, or --images with --train-file and --test-file.")
    if args.images and not (args.train_file and args.test_file):
        raise ValueError("--images needs --train-file and --test-file: images to learn from and to test on.")
    tables = with_figures(args.paper) if args.paper else TABLES
    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    if args.images:
        parts = {"train": images_of_folder(args.images, args.train_file)}
        parts["test"] = images_of_folder(args.images, args.test_file)
    else:
        parts = {part: images_of_config(args.data_config, part, args.data_options) for part in ("train", "test")}
    source = open_feature_source(
        args.config, args.checkpoint, args.layers, device=device, options=args.cfg_options, conv5=args.conv5
    )
    for part, images in parts.items():
        extract_features(
            source,
            images,
            args.out / part,
            initialisation=args.name,
            data_name=args.data_name,
            resize_edge=args.resize_edge,
            crop=args.crop,
            batch_size=args.batch_size,
            workers=args.workers,
            overwrite=args.force,
        )
    results = probe_layers(
        read_features(args.out / "train"),
        read_features(args.out / "test"),
        args.layers,
        args.out / "results",
        strengths=args.strengths,
        seeds=args.seeds,
        neighbours=None if args.no_knn else NEIGHBOURS,
        overwrite=args.force,
    )
    for result in results:
        print(result_line(result))
        for note in result["notes"]:
            print(f"  Note: {note}.")
    cells, _ = read_cells([args.out / "results"])
    cells = [cell for cell in cells if cell.table == "7"]
    write_tables(args.out / "table7.md", cells, tables)
    return markdown(cells, tables)


def main() -> int:
    args = parse_args()
    table = run(args)
    print(f"\n{table}\n\nWritten to {args.out / 'table7.md'}")
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
