"""Layers of a detector, segmentor or classifier for whole images, stored for probes, neighbours and pictures.

Layers by name: conv5, conv5_pooled; of a SNIPER detector also conv_proj, conv_proj_4x4, conv_proj_2x2,
conv_proj_pooled, fc1, fc2; and any module of the model, such as backbone.layer3. Images come from the data set of a
config (--split of CONFIG, or of --data-config), or from a folder per class (--images). Every model sees the same
pixels: short side 256, centre 224x224, then its own mean, deviation and channel order.

A stopped run resumes when it is started again. Several processes share the work: start each with --shard 0/4 .. 3/4, or
all with torchrun --nproc_per_node=4 tools/analysis_tools/extract_features.py ... --launcher pytorch.

Example: python tools/analysis_tools/extract_features.py configs/det/sniper_openimages.py epoch_14.pth \\
    --layers conv5_pooled fc1 fc2 --images data/caltech256/256_ObjectCategories --split-file train.txt \\
    --out work_dirs/features/openimages_caltech256_train
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mmengine.config import DictAction

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE
from mmdetpre.analysis.features.extract import extract_features, open_feature_source
from mmdetpre.analysis.features.image_set import images_of_config, images_of_folder
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.datasets.from_config import PARTS
from mmdetpre.transfer.load_report import BackboneNotLoaded

_LAUNCHERS = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="config of mmdet, mmsegmentation or mmpretrain")
    parser.add_argument("checkpoint", help="its checkpoint; for layers of the backbone any file that holds one")
    parser.add_argument("--layers", nargs="+", required=True, metavar="LAYER", help="names of layers or modules")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--force", action="store_true", help="start anew, replacing the folder")
    data = parser.add_argument_group("images")
    data.add_argument("--split", choices=PARTS, help="dataloader of the config whose images are taken (test)")
    data.add_argument("--data-config", type=Path, help="config with the data, if not CONFIG")
    data.add_argument("--images", type=Path, help="instead: folder with one folder of images per class")
    data.add_argument("--split-file", type=Path, help="of --images take these: one CLASS/IMAGE per line")
    data.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    data.add_argument("--crop", type=int, default=CROP, help="side of the centre square in pixels (%(default)s)")
    data.add_argument("--name", help="what tables call the weights (name of the checkpoint)")
    data.add_argument("--data-name", help="what tables call the data (name of folder or config)")
    work = parser.add_argument_group("work")
    work.add_argument("--batch-size", type=int, default=32, help="images that pass the model together (%(default)s)")
    work.add_argument("--workers", type=int, default=2, help="processes that decode images (%(default)s)")
    work.add_argument(
        "--conv5",
        choices=("trained", "config"),
        default="trained",
        help="run the backbone with the strides its weights were trained with, or as configured (%(default)s)",
    )
    work.add_argument("--device", default=None, help="such as cuda:0; default: the GPU if there is one")
    work.add_argument("--shard", metavar="I/N", help="do the I-th of N parts of the work, I from 0")
    work.add_argument("--launcher", choices=_LAUNCHERS, help="take I, N and the GPU from torchrun or srun")
    work.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of CONFIG, as key=value")
    work.add_argument("--data-options", nargs="+", action=DictAction, help="override values of --data-config")
    return parser.parse_args()


def shard_and_device(args: argparse.Namespace) -> tuple[tuple[int, int], str]:
    """This process's part of the work, and the device it works on."""
    import torch

    shard, local = (0, 1), 0
    if args.launcher:
        names = _LAUNCHERS[args.launcher]
        if missing := [name for name in names if name not in os.environ]:
            raise ValueError(
                f"--launcher {args.launcher}, but {missing[0]} is not set: start the tool with torchrun or srun."
            )
        rank, world, local = (int(os.environ[name]) for name in names)
        shard = (rank, world)
    elif args.shard:
        index, _, shards = args.shard.partition("/")
        if not (index.isdigit() and shards.isdigit()):
            raise ValueError(f"--shard {args.shard}: give I/N, such as 0/4.")
        shard = (int(index), int(shards))
    gpus = torch.cuda.device_count()
    return shard, args.device or (f"cuda:{local % gpus}" if gpus else "cpu")


def main() -> int:
    args = parse_args()
    if args.images and (args.data_config or args.split):
        raise ValueError("--images and --split or --data-config both say which images: give one of them.")
    if args.split_file and not args.images:
        raise ValueError("--split-file names images of a folder: give --images FOLDER too.")
    if args.data_options and not args.data_config:
        raise ValueError("--data-options changes --data-config, which is not given: use --cfg-options.")
    shard, device = shard_and_device(args)
    if args.images:
        images = images_of_folder(args.images, args.split_file)
    else:
        options = args.data_options if args.data_config else args.cfg_options
        images = images_of_config(args.data_config or args.config, args.split or "test", options)
    source = open_feature_source(
        args.config, args.checkpoint, args.layers, device=device, options=args.cfg_options, conv5=args.conv5
    )
    features = extract_features(
        source,
        images,
        args.out,
        initialisation=args.name,
        data_name=args.data_name,
        resize_edge=args.resize_edge,
        crop=args.crop,
        batch_size=args.batch_size,
        workers=args.workers,
        shard=shard,
        overwrite=args.force,
    )
    if features is None:
        print(f"This part is done; others are still at work on {args.out}.")
        return 0
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape)) or 'number'}" for name, shape in features.layers.items())
    print(f"{len(features)} images of {len(features.classes) or 'no'} classes, {shapes}: {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
