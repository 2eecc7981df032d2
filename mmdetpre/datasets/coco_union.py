"""Several COCO files as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mmdetpre.datasets.coco_json import CocoBoxes


def join_coco_boxes(parts: Sequence[CocoBoxes], folders: Sequence[str], names: Sequence[str]) -> CocoBoxes:
    """The images and boxes of several files, in their order.

    Args:
        parts: What was read of each file, with the same classes.
        folders: Folder of the images of each, put before their file names.
        names: What each file is called in messages.

    Raises:
        ValueError: If two files have an image id in common or number a class differently; names both files.

    Example:
        >>> train = read_coco_json("instances_train2017.json", classes)  # doctest: +SKIP
        >>> val = read_coco_json("instances_val2017.json", classes)  # doctest: +SKIP
        >>> len(join_coco_boxes([train, val], ["train2017", "val2017"], ["train", "val"]).files)  # doctest: +SKIP
        123287
    """
    seen: dict[int, str] = {}
    for part, name in zip(parts, names, strict=True):
        if part.category_ids != parts[0].category_ids:
            raise ValueError(f"{names[0]} and {name} number their categories differently: they do not go together.")
        for number in part.ids.tolist():
            if number in seen:
                raise ValueError(f"{seen[number]} and {name} both have an image of id {number}: images must differ.")
            seen[number] = name
    starts = np.cumsum([0, *(len(part.files) for part in parts[:-1])])
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    known = set(parts[0].known_flags).intersection(*(part.known_flags for part in parts))
    return CocoBoxes(
        files=[_below(folder, file) for part, folder in zip(parts, folders, strict=True) for file in part.files],
        ids=np.concatenate([part.ids for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        image=np.concatenate([part.image + start for part, start in zip(parts, starts, strict=True)]).astype(np.int32),
        boxes=np.concatenate([part.boxes for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        flags=np.concatenate([part.flags for part in parts]),
        category_ids=parts[0].category_ids,
        dropped=dict(dropped),
        known_flags=sorted(known),
    )


def _below(folder: str, file: str) -> str:
    return f"{folder.rstrip('/')}/{file}" if folder.strip("/") else file
