"""What the chips of a config show of its training data, before any training.

Prints chips per image and scale, the pixels they cost, where boxes of which size are learned, and how large the objects
of each class are as the network sees them; --propose suggests scales and valid ranges from the data and reports on
those too.

Example: python tools/analysis_tools/chip_report.py configs/det/sniper_openimages_sample.py --out chips.json --propose
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from mmengine.config import DictAction

from mmdetpre.chips.class_sizes import class_size_table, class_sizes
from mmdetpre.chips.coverage import coverage_report
from mmdetpre.chips.proposal import propose_settings
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.datasets.chips.from_config import load_chip_dataset
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.whole_file import write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="training config whose train_dataloader.dataset is a mmdetpre.ChipDataset")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--propose", action="store_true", help="suggest scales and valid ranges from the data")
    parser.add_argument("--max-scales", type=int, default=4, help="the most scales to suggest (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the chips (%(default)s)")
    parser.add_argument("--epoch", type=int, default=0, help="epoch of the chips (%(default)s)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values, as key=value")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.out, (".json",))], force=args.force)
    dataset = load_chip_dataset(args.config, args.cfg_options)
    packed, settings = dataset.packed, dataset.chip_settings
    data = (packed.sizes, packed.box_offsets, packed.boxes)

    def report(settings: ChipSettings) -> dict[str, object]:
        coverage = coverage_report(*data, settings, ignore=packed.ignore, seed=args.seed, epoch=args.epoch)
        classes = class_sizes(*data, packed.labels, settings, packed.classes, ignore=packed.ignore)
        print(f"{coverage}\n\nMedian sizes, in the images and as the network sees them:\n{class_size_table(classes)}")
        print("".join(f"\nwarning: {size.warning}" for size in classes if size.warning))
        found = {"report": coverage.to_dict(), "classes": [asdict(size) for size in classes]}
        return {"settings": asdict(settings), **found}

    result = report(settings)
    if args.propose:
        proposal = propose_settings(
            *data,
            labels=packed.labels,
            ignore=packed.ignore,
            chip_size=settings.chip_size,
            scales_count=args.max_scales,
        )
        print("\nSuggested from the data, for the config:\n\nchips = dict(")
        print("".join(f"    {name}={value!r},\n" for name, value in asdict(proposal).items()) + ")\n")
        result["proposal"] = report(proposal)
    if args.out:
        write_json(args.out, result, overwrite=args.force)
        print(f"\nWritten to {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
