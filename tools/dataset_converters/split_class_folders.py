"""Write the seeded split of images in one folder per class as text files, one FOLDER/FILE per line.

The data sets mmdetpre.ClassFolders and mmdetpre.Caltech256 draw the same split by themselves, and read the files as
split_file=...; other programs need them.

Example: python tools/dataset_converters/split_class_folders.py data/caltech256/256_ObjectCategories --caltech256 \\
    --per-class 60 --out-dir data/caltech256
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.datasets.classification.caltech256 import Caltech256
from mmdetpre.datasets.classification.class_folders import ANY_FOLDER, IMAGE_FILE, read_class_folders
from mmdetpre.datasets.classification.class_split import split_images, write_split
from mmdetpre.utils.file_arguments import require_new_files


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the class folders")
    parser.add_argument(
        "--per-class", type=int, default=60, metavar="N", help="training images per class (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (%(default)s)")
    parser.add_argument(
        "--caltech256", action="store_true", help="only folders and files named as those of Caltech-256"
    )
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for train.txt and test.txt")
    parser.add_argument("--force", action="store_true", help="overwrite them")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    files = [args.out_dir / name for name in ("train.txt", "test.txt")]
    patterns = (Caltech256.FOLDER, Caltech256.IMAGE) if args.caltech256 else (ANY_FOLDER, IMAGE_FILE)
    require_new_files([(file, (".txt",)) for file in files], force=args.force)
    tree = read_class_folders(args.folder, *patterns)
    splits = split_images(tree.images, args.per_class, args.seed)
    for what, count in tree.passed_over.items():
        print(f"Left out: {count} {what}")
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for file, paths in zip(files, splits, strict=True):
        write_split(file, paths)
        print(f"{len(paths)} images: {file}")
    return 0


if __name__ == "__main__":
    run_tool(main)
