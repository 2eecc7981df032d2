"""Layers of a detector, segmentor or classifier for whole images, stored for probes, neighbors and pictures.

Layers by name: conv5, conv5_pooled; of a SNIPER detector also conv_proj, conv_proj_4x4, conv_proj_2x2,
conv_proj_pooled, fc1, fc2; and any module of the model, such as backbone.layer3. Images come from the data set of a
config (--split of CONFIG, or of --data-config), or from a folder per class (--images). Every model sees the same
pixels: short side 256, center 224x224, then its own mean, deviation and channel order.

A stopped run resumes when it is started again. Several processes share the work: start each with --shard 0/4 .. 3/4, or
all with torchrun --nproc_per_node=4 tools/analysis_tools/extract_features.py ... --launcher pytorch.

Example: python tools/analysis_tools/extract_features.py configs/det/sniper_openimages.py epoch_14.pth \\
    --layers conv5_pooled fc1 fc2 --images data/caltech256/256_ObjectCategories --split-file train.txt \\
    --out work_dirs/features/openimages_caltech256_train
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.analysis.features.image_set import ImageSet, images_of_config, images_of_folder
from mmdetpre.cli.feature_arguments import add_extraction, extractor, shard_and_device
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.compat.cpu_ranks import LAUNCHERS
from mmdetpre.datasets.from_config import PARTS
from mmdetpre.transfer.load_report import BackboneNotLoaded


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="config of mmdet, mmsegmentation or mmpretrain")
    parser.add_argument("checkpoint", help="its checkpoint; for layers of the backbone any file that holds one")
    parser.add_argument("--layers", nargs="+", required=True, metavar="LAYER", help="names of layers or modules")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--force", action="store_true", help="start from scratch, replacing the folder")
    data = parser.add_argument_group("images")
    data.add_argument("--split", choices=PARTS, help="dataloader of the config whose images are taken (test)")
    data.add_argument("--data-config", type=Path, help="config with the data, if not CONFIG")
    data.add_argument("--images", type=Path, help="instead: folder with one folder of images per class")
    data.add_argument("--split-file", type=Path, help="of --images take these: one CLASS/IMAGE per line")
    work = add_extraction(parser, data)
    work.add_argument("--shard", metavar="I/N", help="do the I-th of N parts of the work, I from 0")
    work.add_argument("--launcher", choices=LAUNCHERS, help="take I, N and the GPU from torchrun or srun")
    return parser.parse_args()


def chosen_images(args: argparse.Namespace) -> ImageSet:
    if args.images and (args.data_config or args.split):
        raise ValueError("--images and --split or --data-config both say which images: give one of them.")
    if args.split_file and not args.images:
        raise ValueError("--split-file names images of a folder: give --images FOLDER too.")
    if args.data_options and not args.data_config:
        raise ValueError("--data-options changes --data-config, which is not given: use --cfg-options.")
    if args.images:
        return images_of_folder(args.images, args.split_file)
    options = args.data_options if args.data_config else args.cfg_options
    return images_of_config(args.data_config or args.config, args.split or "test", options)


def main() -> int:
    args = parse_args()
    shard, device = shard_and_device(args.launcher, args.shard, args.device)
    images = chosen_images(args)
    features = extractor(args, args.layers, device, shard)(images, args.out)
    print(f"{features}: {args.out}" if features else f"This part is done; others are still at work on {args.out}.")
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
