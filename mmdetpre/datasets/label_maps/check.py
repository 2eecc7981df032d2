"""The label maps of a whole data set, checked before anything is trained on them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmdetpre.datasets.images.file_verdicts import file_verdicts
from mmdetpre.datasets.label_maps.files import count_labels, decode_label_map, described_labels, wrong_labels
from mmdetpre.utils.bounded_files import parse_json

_KIND = "label-maps-1"
_SHOWN = 3


@dataclass
class LabelMapScan:
    """What label maps hold.

    Attributes:
        maps: How many were read.
        pixels: Number of pixels by value, over all maps.
        holders: Number of maps that hold a value.
        example: A map that holds it.
        values: Number of pixels by value of each map.
        broken: Path of each map that cannot be used, and why.
    """

    maps: int = 0
    pixels: Counter[int] = field(default_factory=Counter)
    holders: Counter[int] = field(default_factory=Counter)
    example: dict[int, str] = field(default_factory=dict)
    values: dict[str, dict[int, int]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def scan_label_maps(paths: Sequence[str | os.PathLike]) -> LabelMapScan:
    """Count the values of label maps, on all cores; those that were read before and have not changed are known.

    Args:
        paths: Local files.

    Example:
        >>> scan_label_maps(["nowhere.png"]).broken
        {'nowhere.png': 'missing'}
    """
    scan = LabelMapScan()
    verdicts = file_verdicts(paths, _KIND, _verdict, what="reading label maps")
    for path, verdict in zip([os.fspath(path) for path in paths], verdicts, strict=True):
        if not verdict.startswith("{"):
            scan.broken[path] = verdict
            continue
        scan.maps += 1
        found = parse_json(verdict, f"The verdict on {path}")
        scan.values[path] = {int(value): count for value, count in found.items()}
        for value, count in scan.values[path].items():
            scan.pixels[value] += count
            scan.holders[value] += 1
            scan.example.setdefault(value, path)
    return scan


def check_scan(scan: LabelMapScan, classes: int, ignore_index: int = 255, *, source: str) -> list[str]:
    """Refuse label maps that do not fit the number of classes.

    Args:
        scan: What they hold.
        classes: Number of classes; labels are 0 to one less.
        ignore_index: Label of void pixels.
        source: What names the maps, for messages.

    Returns:
        Warnings: what can be meant, and hardly is.

    Raises:
        ValueError: If maps cannot be read, or hold values that are not a class; counts them and names the first.

    Example:
        >>> scan = LabelMapScan(1, Counter({0: 9, 255: 3}), Counter({0: 1, 255: 1}))
        >>> check_scan(scan, 2, source="train.txt")[0].partition(":")[0]
        'No label map of train.txt holds a class but 0'
    """
    if scan.broken:
        listed = "\n".join(f"    {path}: {reason}" for path, reason in list(scan.broken.items())[:_SHOWN])
        total = scan.maps + len(scan.broken)
        raise ValueError(f"{len(scan.broken)} of {total} label maps of {source} cannot be used, such as\n{listed}")
    wrong = wrong_labels(scan.pixels, classes, ignore_index)
    if wrong:
        first = min(wrong)
        raise ValueError(
            f"The label maps of {source} do not fit {classes} classes: {scan.holders[first]} of {scan.maps} hold"
            f" {described_labels({first: wrong[first]})}, the first is {scan.example[first]}"
            f"{f'; in all they hold {described_labels(wrong)}' if len(wrong) > 1 else ''}. Expected 0 to {classes - 1},"
            f" one per class, and {ignore_index} for void. Name all classes of the data set in `classes`, or correct"
            " the files."
        )
    if classes > 1 and scan.maps and not set(scan.pixels) - {0, ignore_index}:
        void = scan.pixels[ignore_index]
        hint = (
            f" {ignore_index} is void, which is neither learned nor scored: pixels of objects hold the number of their"
            f" class, 1 to {classes - 1}."
            if void
            else ""
        )
        return [f"No label map of {source} holds a class but 0: found {described_labels(scan.pixels)}.{hint}"]
    return []


def _verdict(data: bytes) -> str:
    try:
        return json.dumps(count_labels(decode_label_map(data)))
    except ValueError as error:
        return str(error)
