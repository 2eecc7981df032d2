"""Write the images of a data set as tar shards: a few large files instead of a million small ones.

SOURCE is a config, whose data set also gives the annotations that stand beside each image, or a folder of images. The
shards have the layout of WebDataset; training reads them in any order, here or at an address:

    img_backend_args = dict(backend="mmdetpre.TarShards", shards=OUT, root=FOLDER OF THE IMAGES)

A run that was killed goes on where it stopped when the command is typed again.

Example: python tools/dataset_converters/pack.py configs/det/sniper_openimages.py --part train --out data/oi_shards
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.datasets.from_config import PARTS, open_dataset
from mmdetpre.datasets.pack_images import pack_data_set, pack_folder
from mmdetpre.storage.shards.backend import TAR_SHARDS
from mmdetpre.utils.plain_text import printable

_SHOWN = 5


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="config, or folder of images")
    parser.add_argument("--part", choices=PARTS, default="train", help="dataloader of the config (%(default)s)")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="new folder for the shards")
    parser.add_argument("--per-shard", type=int, default=4000, metavar="N", help="images in each shard (%(default)s)")
    parser.add_argument("--workers", type=int, default=16, metavar="N", help="threads that read (%(default)s)")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, default={}, help="values of the config to override"
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    options = {"per_shard": args.per_shard, "workers": args.workers}
    if args.source.is_dir():
        packed, root = pack_folder(args.source, args.out, **options)
    else:
        dataset = open_dataset(args.source, args.part, args.cfg_options, inner=True)
        packed, root = pack_data_set(dataset, args.out, **options)
    kept = f", {packed.kept} of them from an interrupted run" if packed.kept else ""
    print(f"{packed.files} images in {packed.shards} shards{kept}. To train from them:")
    shards, root = str(args.out), root or "what stands before the names in the paths"
    print(f"    img_backend_args = dict(backend={TAR_SHARDS!r}, shards={shards!r}, root={root!r})")
    if packed.unreadable:
        named = ", ".join(map(printable, packed.unreadable[:_SHOWN]))
        more = ", ..." if len(packed.unreadable) > _SHOWN else ""
        print(f"{len(packed.unreadable)} of them are damaged or no images, and were packed as they are: {named}{more}")
    return 0


if __name__ == "__main__":
    run_tool(main)
