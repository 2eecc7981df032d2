"""A part of Open Images as FiftyOne downloads and exports it: ``data``, ``labels/detections.csv``, ``metadata``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mmdetpre.datasets.images.photo_names import PhotoFolder
from mmdetpre.datasets.openimages.boxes_csv import read_box_csv
from mmdetpre.datasets.openimages.classes import read_class_descriptions
from mmdetpre.datasets.packed.annotations import IGNORE
from mmdetpre.datasets.voc.xml_files import WAY
from mmdetpre.study.custom_data.formats.annotations import Annotations, box_rows

CSV = Path("labels", "detections.csv")
_CLASSES = Path("metadata", "classes.csv")


def read_openimages(root: Path, images_dir: Path | None) -> Annotations:
    """The photos that are there and have boxes; the table may be the whole one of Open Images. Groups are crowds.

    Args:
        root: The folder.
        images_dir: Folder of the photos; None: ``data``.

    Raises:
        FileNotFoundError: If a file, or every photo, is missing.
        ValueError: Names the line that is wrong.
    """
    descriptions = read_class_descriptions(root / _CLASSES)
    names = list(dict.fromkeys(descriptions.values()))
    table = read_box_csv(root / CSV, {mid: names.index(name) for mid, name in descriptions.items()})
    where = images_dir or root / "data"
    photos = PhotoFolder(where).photos() if where.is_dir() else []
    by_id = {os.path.splitext(os.path.basename(photo))[0]: photo for photo in photos}
    if len(by_id) < len(photos):
        raise ValueError(f"{where} holds two photos of one id: remove one of them.")
    kept = [i for i, image in enumerate(table.images) if image in by_id]
    if not kept:
        raise FileNotFoundError(
            f"{where} holds {len(photos)} photos, and none of them has boxes in {root / CSV}, such as"
            f" {table.images[0] if table.images else 'ID'}.jpg."
        )
    place = np.full(len(table.images), -1)
    place[kept] = np.arange(len(kept))
    chosen = np.flatnonzero(place[table.image] >= 0)
    corners = table.boxes[chosen].astype(np.float64)
    boxes = box_rows(
        len(chosen), image=place[table.image[chosen]], written=corners, label=table.labels[chosen],
        box=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        flags=table.flags[chosen] & ~np.uint8(IGNORE), crowd=(table.flags[chosen] & IGNORE) > 0,
    )  # fmt: skip
    left_out = {f"rows of {CSV.name} ({reason})": count for reason, count in table.dropped.items()}
    if without := len(photos) - len(kept):
        left_out["photos without boxes in the table"] = without
    files = [by_id[table.images[i]] for i in kept]
    sizes = np.zeros((len(files), 2), np.int32)
    return Annotations(
        where, list(range(1, len(files) + 1)), files, sizes, boxes, names, WAY, {}, left_out, fractions=True,
        spare_names=True,
    )  # fmt: skip
