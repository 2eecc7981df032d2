"""Turn published weights of torchvision, timm, detectron2 or the SNIPER release (MXNet .params) into a backbone file.

The report accounts for every tensor. Exit code: 0 if the file was written; 1 otherwise.

Example: python tools/model_converters/import_checkpoint.py SNIPER-0007.params openimages_r101.pth
Example: python tools/model_converters/import_checkpoint.py torchvision://resnet50 r50.pth --into my_config.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer import BackboneNotLoaded, CheckpointError, KeyMapError
from mmdetpre.transfer.checkpoint_origin import SOURCES
from mmdetpre.transfer.import_backbone import import_backbone
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="path or address of the published weights")
    parser.add_argument("out", help="file to write, ending in .pth or .safetensors")
    parser.add_argument(
        "--from", dest="library", choices=("auto", *SOURCES), default="auto", help="where it comes from"
    )
    parser.add_argument("--into", metavar="CONFIG", help="config whose backbone and preprocessing the weights must fit")
    parser.add_argument("--prefix", help="what stands before the backbone's names; auto-detected if there is only one")
    parser.add_argument("--entry", help="entry of the file with the weights, such as state_dict_ema")
    parser.add_argument("--source-dataset", help="what the weights were trained on")
    parser.add_argument("--mean", nargs=3, type=float, help="subtracted per channel, if not as the library does")
    parser.add_argument("--std", nargs=3, type=float, help="divided by per channel, if not as the library does")
    parser.add_argument("--channel-order", choices=("rgb", "bgr"), help="as the network sees it, if not as the library")
    parser.add_argument("--style", choices=("pytorch", "caffe"), help="place of the stride, if not as in the library")
    parser.add_argument(
        "--policy", choices=("error", "warn"), default="error", help="warn also writes incomplete files"
    )
    parser.add_argument("--json", type=Path, help="file to write the report to")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.json and args.json.exists() and not args.overwrite:
        raise FileExistsError(f"{args.json} exists: choose another name, or add --overwrite.")
    given = {name: getattr(args, name) for name in ("mean", "std", "channel_order", "style")}
    try:
        report, told = import_backbone(
            args.checkpoint,
            args.out,
            args.library,
            into=args.into,
            prefix=args.prefix,
            entry=args.entry,
            policy=args.policy,
            preprocessing={name: value for name, value in given.items() if value is not None},
            metadata={"source_dataset": args.source_dataset} if args.source_dataset else {},
            overwrite=args.overwrite,
        )
    except BackboneNotLoaded as error:
        print(f"import_checkpoint: {args.out} was not written.\n{error.report}", file=sys.stderr)
        if args.json:
            write_text(args.json, error.report.to_json())
        return 1
    except FileExistsError:
        raise FileExistsError(f"{args.out} exists: choose another name, or add --overwrite.") from None
    print(f"{report}\n\n{args.out}\n" + "\n".join(f"  {name}: {value}" for name, value in told.items()))
    if args.json:
        write_text(args.json, report.to_json())
    return 0


if __name__ == "__main__":
    run_tool(main, CheckpointError, KeyMapError)
