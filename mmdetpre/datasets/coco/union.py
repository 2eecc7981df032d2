"""Several COCO files as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.datasets.coco.json_file import CocoFile


def join_coco_files(parts: Sequence[CocoFile], folders: Sequence[str]) -> CocoFile:
    """The images and boxes of several files, in their order.

    Args:
        parts: What was read of each file.
        folders: Folder of the images of each, put before their file names.

    Raises:
        ValueError: If two files have an image id in common or number a class differently; names both files.

    Example:
        >>> from mmdetpre.datasets.coco.json_file import read_coco_json
        >>> train = read_coco_json("annotations/instances_train2017.json")
        >>> val = read_coco_json("annotations/instances_val2017.json")
        >>> join_coco_files([train, val], ["train2017", "val2017"]).files
        ['train2017/1.jpg', 'val2017/2.jpg']
    """
    first = parts[0]
    seen: dict[int | str, Path] = {}
    for part in parts:
        if (part.names, part.category_ids) != (first.names, first.category_ids):
            raise ValueError(
                f"{first.path} and {part.path} number their categories differently: they do not go together."
            )
        for number in part.ids:
            if number in seen:
                raise ValueError(
                    f"{seen[number]} and {part.path} both have an image of id {number!r}: images must differ."
                )
            seen[number] = part.path
    starts = np.cumsum([0, *(len(part.files) for part in parts[:-1])])
    columns = ("sizes", "boxes", "category", "area", "crowd", "ignore", "flags")
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    if first.outlines is not None:
        joined["outlines"] = [outline for part in parts for outline in part.outlines or ()]
    return replace(
        first,
        files=[_below(folder, file) for part, folder in zip(parts, folders, strict=True) for file in part.files],
        ids=[number for part in parts for number in part.ids],
        image=np.concatenate([part.image + start for part, start in zip(parts, starts, strict=True)]).astype(np.int32),
        known_flags=sorted(set(first.known_flags).intersection(*(part.known_flags for part in parts))),
        merged=[name for part in parts for name in part.merged],
        **joined,
    )


def _below(folder: str, file: str) -> str:
    return f"{folder.rstrip('/')}/{file}" if folder.strip("/") else file
