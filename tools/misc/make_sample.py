"""Draw the embedded sample data.

Example: python tools/misc/make_sample.py --out data/sample --layout openimages --which source --seed 0
"""

from __future__ import annotations

import argparse
import sys

from mmdetpre.sample import LAYOUTS, make_sample


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder to create")
    parser.add_argument("--layout", default="openimages", choices=sorted(LAYOUTS), help="layout to write (%(default)s)")
    parser.add_argument(
        "--which",
        default="source",
        choices=["source", "target"],
        help="class set: source to pre-train on, target to fine-tune on (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the world (%(default)s)")
    parser.add_argument("--train", type=int, default=900, metavar="N", help="training images (%(default)s)")
    parser.add_argument("--val", type=int, default=150, metavar="N", help="validation images (%(default)s)")
    parser.add_argument("--size", type=image_size, default=(256, 192), metavar="WxH", help="image size (256x192)")
    parser.add_argument("--force", action="store_true", help="replace a sample that was drawn with other parameters")
    return parser.parse_args()


def image_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it as 256x192.") from error
    return width, height


def main() -> int:
    args = parse_args()
    try:
        root = make_sample(
            args.out,
            args.which,
            layout=args.layout,
            train=args.train,
            validation=args.val,
            size=args.size,
            seed=args.seed,
            force=args.force,
        )
    except (FileExistsError, ValueError) as error:
        print(f"make_sample: {error}", file=sys.stderr)
        return 1
    print(f"Sample ready: {root}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
