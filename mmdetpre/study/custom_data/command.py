"""The command ``mmdetpre study init``: from a user's own data to a study that can be run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from mmdetpre.study.custom_data.models import MODELS
from mmdetpre.utils.plain_text import printable
from mmdetpre.utils.stages import STAGES

EXAMPLE = (
    "Example: mmdetpre study init --det my_coco.json --det-images photos --cls my_folder"
    " --init coco=backbone.pth --init imagenet_cls=torchvision://resnet101 --model paper --out my_study"
)


class _InOrder(argparse.Action):
    """Keep options with their order: some belong to one before them."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (option_string, values)])


_DATA: Any = {"action": _InOrder, "dest": "data", "default": []}


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``init`` to its parser."""
    parser.epilog = EXAMPLE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    det = parser.add_argument_group("detection")
    det.add_argument(
        "--det",
        **_DATA,
        metavar="DATA",
        help="annotated photos: COCO JSON, or a folder of VOC XML, YOLO, CVAT, LabelMe or Open Images; repeat it for"
        " more",
    )
    det.add_argument(
        "--pretrain",
        **_DATA,
        metavar="KEY=DATA",
        help="such data that the study pre-trains on: an initialization KEY, trained from imagenet_cls where --init has"
        " that, else from the first --init, else from scratch; repeat it for more",
    )
    of = "of the --det or --pretrain before it"
    det.add_argument("--det-images", **_DATA, metavar="DIR", help=f"images {of} (default: found beside it)")
    det.add_argument(
        "--det-test",
        **_DATA,
        metavar="DATA",
        help=f"test data {of} (default: the test or val part of the data, else a fifth is split off)",
    )
    det.add_argument("--det-test-images", **_DATA, metavar="DIR", help="images of --det-test (default: --det-images)")
    seg = parser.add_argument_group("segmentation")
    seg.add_argument(
        "--seg",
        type=Path,
        metavar="DATA",
        help="folder of label maps (PNG of one value per pixel, 255 void), or COCO JSON with outlines",
    )
    seg.add_argument("--seg-images", type=Path, metavar="DIR", help="its photos (default: found beside it)")
    seg.add_argument(
        "--seg-classes",
        type=Path,
        metavar="FILE",
        help="names of the classes of label maps, one per line (default: a list beside them, else their values)",
    )
    cls = parser.add_argument_group("classification")
    cls.add_argument("--cls", type=Path, metavar="DIR", help="folder with one folder of images per class")
    cls.add_argument(
        "--cls-per-class",
        type=int,
        metavar="N",
        help="training images of each class, the others are test images (default: two thirds of the smallest class, at"
        " most 60)",
    )
    study = parser.add_argument_group("study")
    study.add_argument(
        "--init",
        dest="inits",
        action="append",
        default=[],
        metavar="KEY=FILE",
        help="weights that the backbone is initialized with, path or address; repeat for more. From scratch is always"
        " there. KEY=FILE:prefix=teacher.backbone and KEY=FILE:entry=state_dict_ema say which of several in the file. A"
        " checkpoint of a whole SNIPER detector also gives the rows of Table 7",
    )
    study.add_argument("--start", dest="starts", action="append", default=[], help=argparse.SUPPRESS)
    study.add_argument(
        "--model",
        choices=MODELS,
        help="; ".join(f"{name}: {model.title}" for name, model in MODELS.items())
        + " (default: the one that the weights of --init are of; on a machine without a GPU one for a CPU)",
    )
    study.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; it must not exist")
    study.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each initialization (%(default)s)")
    study.add_argument("--epochs", type=int, metavar="N", help="of each run (default: fitted to the size of the data)")
    study.add_argument("--split-seed", type=int, default=0, metavar="N", help="seed of the splits (%(default)s)")
    study.add_argument(
        "--trainable-stages",
        nargs="+",
        type=lambda text: int(text) if text.isdecimal() else text,
        choices=["all", *range(STAGES + 1)],
        default=[],
        metavar="N",
        help="train only so many of the last stages of the backbone, 0 for none (frozen), or `all`; each of them"
        " is a row of the tables: all 1 0",
    )
    study.add_argument(
        "--budget",
        metavar="TIME",
        help="time that the study may take on this machine, such as 45m or '1h 30m': epochs are fitted to it, then,"
        " where the fewest are too many, the seeds, down to 2",
    )
    study.add_argument(
        "--no-timing",
        dest="timing",
        action="store_false",
        help="do not time a few steps of each training to say how long the study takes",
    )
    study.add_argument(
        "--search",
        type=int,
        metavar="N",
        help="try N chip settings, the proposed and others near them, by short trainings on three quarters of the"
        " training images, and take the cheapest of those that score best on the others; the trainings are kept in"
        " OUT_search, and the same command continues there",
    )
    study.add_argument(
        "--leave-out-bad",
        action="store_true",
        help="continue without images that are missing or broken, boxes that are empty or outside of their image, and"
        " categories without boxes, and count them",
    )


def run_init(args: argparse.Namespace) -> int:
    """Write the study; 1 after an error, which is one message on stderr."""
    from mmdetpre.study.custom_data.detection_data import data_of_options
    from mmdetpre.study.custom_data.init_study import (  # imports torch and mmdet, for which --help need not wait
        Settings,
        init_study,
    )

    if args.starts:
        print("study init: --start is now --init; the next release no longer has the old name.", file=sys.stderr)
        args.inits += args.starts
    try:
        args.det, args.pretrain = data_of_options(args.data)
        print(init_study(Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})))
    except (OSError, ValueError) as error:
        print(f"study init: {printable(error)}", file=sys.stderr)
        return 1
    return 0
