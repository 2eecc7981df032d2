"""What backbone a file holds, and whether it would load into the model of a config, or is what another library has.

With --timm, --torchvision or --like no OpenMMLab package is needed: were my weights loaded? Nothing is written or
trained. Exit code: 0 if the file holds one backbone and, where it is compared, the verdict is complete or expected; 1
otherwise.

Example: python tools/model_converters/inspect_backbone.py sniper_backbone.pth --into configs/det/sniper_openimages.py
Example: python tools/model_converters/inspect_backbone.py model.safetensors --timm convnext_tiny
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer import CheckpointError, KeyMapError, LoadReport, read_checkpoint
from mmdetpre.transfer.inspect_backbone import (
    describe_checkpoint,
    equal_values,
    inspect_into,
    inspect_like,
    library_network,
)
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="path or address of the file")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--into", metavar="CONFIG", help="config of mmdet, mmsegmentation or mmpretrain")
    target.add_argument("--timm", metavar="NAME", help="network of timm, such as convnext_tiny")
    target.add_argument("--torchvision", metavar="NAME", help="network of torchvision, such as swin_t")
    target.add_argument("--like", metavar="FILE", help="file whose backbone should have the same tensors")
    parser.add_argument("--prefix", help="what stands before the backbone's names; auto-detected if there is only one")
    parser.add_argument("--entry", help="entry of the file with the weights, such as ema_state_dict")
    parser.add_argument("--ignore-preprocessing", action="store_true", help="accept another preprocessing")
    parser.add_argument("--json", type=Path, help="where it is compared: file to write the report to")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.json and args.json.exists():
        raise FileExistsError(f"{args.json} exists: choose another name.")
    report, table = compare(args)
    if report is None:
        print(describe_checkpoint(args.checkpoint, args.prefix, args.entry))
        return 0
    print(f"{report}\n\n{table}" if table else report)
    if args.json:
        write_text(args.json, report.to_json())
    return 0 if report.good else 1


def compare(args: argparse.Namespace) -> tuple[LoadReport | None, str]:
    """The report of what was asked for, None if nothing was; and a text to it: what a config trains, equal values."""
    if args.into:
        return inspect_into(args.checkpoint, args.into, args.prefix, args.entry, not args.ignore_preprocessing)
    if args.like:
        read, tensors = read_checkpoint(args.checkpoint, args.entry), read_checkpoint(args.like).tensors
        report = inspect_like(read, tensors, args.like, args.prefix)
        if report.verdict == "refused":
            return report, ""
        equal, both = equal_values(read, tensors, args.prefix)
        return report, f"values: {equal} of {both} tensors that both have are equal"
    if args.timm or args.torchvision:
        library = "timm" if args.timm else "torchvision"
        target = f"{library}'s {args.timm or args.torchvision}"
        tensors = library_network(library, args.timm or args.torchvision).state_dict()
        return inspect_like(args.checkpoint, tensors, target, args.prefix, args.entry), ""
    return None, ""


if __name__ == "__main__":
    run_tool(main, CheckpointError, KeyMapError)
