"""Draw images with their chips, and the chips as the detector sees them.

Example: python tools/analysis_tools/browse_chips.py configs/det/sniper_openimages_sample.py --out-dir work_dirs/chips
"""

from __future__ import annotations

import argparse

from mmengine.config import DictAction

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.datasets.chips.from_config import load_chip_dataset
from mmdetpre.visualization.chip_views import browse_chips


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="training config with a mmdetpre.ChipDataset")
    parser.add_argument("--out-dir", required=True, help="folder for the pictures")
    parser.add_argument("-n", type=int, default=8, metavar="N", help="number of images (%(default)s)")
    parser.add_argument(
        "--epoch", type=int, default=0, help="epoch whose chips are drawn, 0 is the first (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the chips and of the choice (%(default)s)")
    parser.add_argument("--force", action="store_true", help="overwrite pictures")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    dataset = load_chip_dataset(args.config, args.cfg_options)
    paths = browse_chips(dataset, args.out_dir, args.n, seed=args.seed, epoch=args.epoch, force=args.force)
    print(f"{len(paths)} pictures in {args.out_dir}")
    return 0


if __name__ == "__main__":
    run_tool(main)
