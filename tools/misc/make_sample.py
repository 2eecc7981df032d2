"""Draw the embedded sample data.

Example: python tools/misc/make_sample.py --layout voc
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.sample import LAYOUTS, make_sample
from mmdetpre.sample.folder import default_folder

DATA = Path("data")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out",
        type=Path,
        help="folder to create (data/sample for openimages, data/sample_LAYOUT for others); for all: the one above",
    )
    choices = [*LAYOUTS, "all"]
    parser.add_argument("--layout", default="openimages", choices=choices, help="layout to write (%(default)s)")
    parser.add_argument(
        "--which",
        choices=["source", "target"],
        help="class set: source to pre-train on, target to fine-tune on (target for voc and caltech256)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the world (%(default)s)")
    counts = ", ".join(f"{name} {layout.train}" for name, layout in LAYOUTS.items())
    parser.add_argument("--train", type=int, metavar="N", help=f"training images ({counts})")
    counts = ", ".join(f"{name} {layout.validation}" for name, layout in LAYOUTS.items())
    parser.add_argument("--val", type=int, metavar="N", help=f"validation images ({counts})")
    parser.add_argument("--size", type=image_size, default=(256, 192), metavar="WxH", help="image size (256x192)")
    parser.add_argument("--force", action="store_true", help="replace a sample that was drawn with other parameters")
    return parser.parse_args()


def image_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: write it as 256x192.") from error
    return width, height


def main() -> int:
    args = parse_args()
    every = args.layout == "all"
    for layout in LAYOUTS if every else [args.layout]:
        name = default_folder(layout).name
        root = make_sample(
            args.out if args.out and not every else (args.out or DATA) / name,
            args.which,
            layout=layout,
            train=args.train,
            validation=args.val,
            size=args.size,
            seed=args.seed,
            force=args.force,
        )
        print(f"Sample ready: {root}")
    return 0


if __name__ == "__main__":
    run_tool(main)
