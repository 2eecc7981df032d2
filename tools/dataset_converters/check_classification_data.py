"""Check Caltech-256, SUN-397 and Oxford-102 Flowers: classes, images of each split, and which files are missing.

Without names, all that lie below data/ are checked. Ends with 1 if something is missing or a count is not that of
Table 1 of the paper, and says where what belongs. --decode also reads every image.

Example: python tools/dataset_converters/check_classification_data.py caltech256=data/caltech256 flowers102 --decode
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.datasets.classification.check import CHECKS
from mmdetpre.datasets.images.decode_check import broken_images

FOLDERS = {"caltech256": "data/caltech256", "sun397": "data/SUN397", "flowers102": "data/Flowers102"}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ", ".join(f"{name}={folder}" for name, folder in FOLDERS.items())
    parser.add_argument("data", nargs="*", metavar="NAME[=FOLDER]", help=f"data set and its folder ({default})")
    parser.add_argument("--decode", action="store_true", help="decode every image")
    parser.add_argument("--threads", type=int, help="threads that decode (one per core)")
    return parser.parse_args()


def chosen(arguments: list[str]) -> dict[str, str]:
    """Folder by name of each data set to check."""
    if not arguments:
        found = {name: folder for name, folder in FOLDERS.items() if Path(folder).is_dir()}
        if not found:
            raise ValueError(f"none of {', '.join(FOLDERS.values())} is there: give NAME=FOLDER.")
        return found
    data = {}
    for argument in arguments:
        name, _, folder = argument.partition("=")
        if name not in CHECKS:
            raise ValueError(f"no data set {name!r}: choose one of {', '.join(CHECKS)}.")
        data[name] = folder or FOLDERS[name]
    return data


def main() -> int:
    args = parse_args()
    data = chosen(args.data)
    good = True
    for name, folder in data.items():
        check = CHECKS[name](folder)
        if args.decode:
            broken = broken_images(check.images, args.threads)
            check.problems += [f"Cannot be decoded: {path} ({reason})" for path, reason in broken.items()]
        print(check)
        good &= check.good
    return 0 if good else 1


if __name__ == "__main__":
    run_tool(main)
