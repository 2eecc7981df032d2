"""Take the backbone out of a checkpoint and write it alone, with metadata and digest.

Example: python tools/model_converters/export_backbone.py work_dirs/sniper/epoch_14.pth sniper_backbone.pth
"""

from __future__ import annotations

import argparse

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer import CheckpointError, KeyMapError, export_backbone


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="path or address of the checkpoint")
    parser.add_argument("out", help="file to write, ending in .pth or .safetensors")
    parser.add_argument("--prefix", help="what stands before the backbone's names; auto-detected if there is only one")
    parser.add_argument("--entry", help="entry of the file with the weights, such as ema_state_dict")
    parser.add_argument("--source-dataset", help="what the weights were trained on (what the checkpoint says)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    metadata = {"source_dataset": args.source_dataset} if args.source_dataset else {}
    try:
        told = export_backbone(
            args.checkpoint, args.out, prefix=args.prefix, entry=args.entry, metadata=metadata, overwrite=args.overwrite
        )
    except FileExistsError:
        raise FileExistsError(f"{args.out} exists: choose another name, or add --overwrite.") from None
    print(f"{args.out}\n" + "\n".join(f"  {name}: {value}" for name, value in told.items()))
    return 0


if __name__ == "__main__":
    run_tool(main, CheckpointError, KeyMapError)
