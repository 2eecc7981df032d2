"""Load a backbone into those of mmdet, mmsegmentation and mmpretrain, run one image, compare every output.

Each toolbox builds its backbone of the file's family and form; with --into, all build that of the config. Exit code: 0
if all digests are equal and every difference is 0; 1 otherwise.

Example: python tools/model_converters/verify_transfer.py sniper_backbone.pth --image photo.jpg
"""

from __future__ import annotations

import argparse
import sys

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer import BackboneNotLoaded, CheckpointError, KeyMapError
from mmdetpre.transfer.toolboxes import backbone_of_config
from mmdetpre.transfer.verify_transfer import all_identical, arrivals_table, image_tensor, verify_transfer


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="path or address of the file")
    parser.add_argument("--into", metavar="CONFIG", help="config whose backbone is built, for one of unknown family")
    parser.add_argument("--image", help="image to run; by default noise")
    parser.add_argument("--prefix", help="what stands before the backbone's names; auto-detected if there is only one")
    parser.add_argument("--entry", help="entry of the file with the weights, such as ema_state_dict")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    image = image_tensor(args.image) if args.image else None
    backbone = backbone_of_config(args.into)[1] if args.into else None
    arrivals = verify_transfer(args.checkpoint, args.prefix, args.entry, image, backbone=backbone)
    print(arrivals_table(arrivals))
    identical = all_identical(arrivals)
    print("Identical in all three." if identical else "NOT identical.", file=sys.stdout if identical else sys.stderr)
    return 0 if identical else 1


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded, CheckpointError, KeyMapError)
