"""What backbone a file holds, and whether it would load into the model of a config. Nothing is written or trained.

Exit code: 0 if the file holds one backbone and, with --into, the verdict is complete or expected; 1 otherwise.

Example: python tools/model_converters/inspect_backbone.py sniper_backbone.pth --into configs/det/sniper_openimages.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer import CheckpointError, KeyMapError
from mmdetpre.transfer.inspect_backbone import describe_checkpoint, inspect_into
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="path or address of the file")
    parser.add_argument("--into", metavar="CONFIG", help="config of mmdet, mmsegmentation or mmpretrain")
    parser.add_argument(
        "--prefix", help="what stands before the backbone's names; found by itself if there is one only"
    )
    parser.add_argument("--entry", help="entry of the file with the weights, such as ema_state_dict")
    parser.add_argument("--ignore-preprocessing", action="store_true", help="accept another preprocessing")
    parser.add_argument("--json", type=Path, help="with --into: file to write the report to")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.json and args.json.exists():
        print(f"{args.json} exists: choose another name.", file=sys.stderr)
        return 1
    if not args.into:
        print(describe_checkpoint(args.checkpoint, args.prefix, args.entry))
        return 0
    report, table = inspect_into(args.checkpoint, args.into, args.prefix, args.entry, not args.ignore_preprocessing)
    print(f"{report}\n\n{table}")
    if args.json:
        write_text(args.json, report.to_json())
    return 0 if report.good else 1


if __name__ == "__main__":
    run_tool(main, CheckpointError, KeyMapError)
