"""What the tools that extract and probe features share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE
from mmdetpre.analysis.features.extract import FeatureSource, extract_features, open_feature_source
from mmdetpre.analysis.features.feature_file import FeatureFile, read_features
from mmdetpre.analysis.features.image_set import ImageSet
from mmdetpre.analysis.probes.data import ProbeData, probe_data
from mmdetpre.analysis.probes.scores import ProbeResult
from mmdetpre.analysis.probes.softmax_regression import L2_VALUES
from mmdetpre.cli.result_files import NUMBERS
from mmdetpre.compat.cpu_ranks import LAUNCHERS
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.results import write_results


def add_extraction(parser: argparse.ArgumentParser, images: argparse._ArgumentGroup) -> argparse._ArgumentGroup:
    """Sizes and names go to the group of the images, the rest to a group that is returned."""
    images.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    images.add_argument("--crop", type=int, default=CROP, help="side of the center square in pixels (%(default)s)")
    images.add_argument("--name", help="what tables call the weights (name of the checkpoint)")
    images.add_argument("--data-name", help="what tables call the data (name of folder or config)")
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
    return work


def extractor(
    args: argparse.Namespace, layers: Sequence[str], device: str, shard: tuple[int, int] = (0, 1)
) -> Callable[[ImageSet, Path], FeatureFile | None]:
    """Function that extracts features of images to a folder, as :func:`add_extraction` says.

    Args:
        args: Parsed arguments.
        layers: Layers of the model.
        device: Where it runs.
        shard: See :func:`mmdetpre.analysis.features.extract.extract_features`.

    Raises:
        BackboneNotLoaded, FileNotFoundError, ValueError: As
            :func:`mmdetpre.analysis.features.extract.open_feature_source`.
    """
    source: FeatureSource = open_feature_source(
        args.config, args.checkpoint, layers, device=device, options=args.cfg_options, conv5=args.conv5
    )
    settings = {name: getattr(args, name) for name in ("data_name", "resize_edge", "crop", "batch_size", "workers")}
    return lambda images, out: extract_features(
        source, images, out, init=args.name, shard=shard, overwrite=args.force, **settings
    )


def shard_and_device(launcher: str | None, shard: str | None, device: str | None) -> tuple[tuple[int, int], str]:
    """This process's part of the work, and the device it works on.

    Args:
        launcher: One of ``LAUNCHERS``, whose variables of the environment give both.
        shard: Instead ``I/N``.
        device: The device, if it is given.

    Raises:
        ValueError: If the launcher's variables are not set, or the shard has another form.

    Example:
        >>> shard_and_device(None, "1/4", "cpu")
        ((1, 4), 'cpu')
    """
    part, local = (0, 1), 0
    if launcher:
        names = LAUNCHERS[launcher]
        if missing := [name for name in names if name not in os.environ]:
            raise ValueError(
                f"--launcher {launcher}, but {missing[0]} is not set: start the tool with torchrun or srun."
            )
        rank, world, local = (int(os.environ[name]) for name in names)
        part = (rank, world)
    elif shard:
        index, _, shards = shard.partition("/")
        if not (index.isdigit() and shards.isdigit()):
            raise ValueError(f"--shard {shard}: give I/N, such as 0/4.")
        part = (int(index), int(shards))
    gpus = torch.cuda.device_count()
    return part, device or (f"cuda:{local % gpus}" if gpus else "cpu")


def add_linear_settings(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Regularizations and seeds of a linear probe; ``--strengths`` is the former name of ``--l2``."""
    l2 = dict(type=float, nargs="+", default=L2_VALUES, metavar="L2", help="regularizations to choose from")
    parser.add_argument("--l2", "--strengths", **l2)  # type: ignore[arg-type]
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of validation parts")


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Features, layer and result of a probe."""
    parser.add_argument("train", type=Path, help="features of the training images")
    parser.add_argument("test", type=Path, help="features of the test images")
    parser.add_argument("--layer", help="the layer; may be left out if there is one only")
    parser.add_argument("--out", type=Path, help="result to write (.json, .csv)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run_probe(args: argparse.Namespace, probe: Callable[[ProbeData], ProbeResult]) -> int:
    """Probe a layer as :func:`add_probe` says, print the result and write it.

    Raises:
        FileExistsError, FileNotFoundError, ValueError: If files or features are of no use.
    """
    require_new_files([(args.out, NUMBERS)], force=args.force)
    result = probe(probe_data(read_features(args.train), read_features(args.test), args.layer))
    print(result)
    if args.out:
        write_results(args.out, [result], overwrite=args.force)
        print(f"Written to {args.out}")
    return 0
