"""COCO's JSON with its photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdetpre.datasets.coco import json_file
from mmdetpre.datasets.coco.json_file import read_coco_json
from mmdetpre.study.custom_data.formats.annotations import (
    Annotations,
    box_rows,
    find_photos,
    missing_photos,
    other_forms,
    photo_folders,
)

ROBOFLOW = "_annotations.coco.json"
"""Roboflow's name of the file; its first category is the name of the project, which no box has."""


def read_coco(source: Path, images_dir: Path | None) -> Annotations:
    """Read a detection file of COCO.

    Args:
        source: The JSON.
        images_dir: Folder of the photos; None: a usual one beside it.

    Raises:
        FileNotFoundError, ValueError: As `mmdetpre.datasets.coco.json_file.read_coco_json` does.
    """
    found = read_coco_json(source)
    folder, photos = find_photos(
        photo_folders(source.parent, images_dir, source.stem), lambda folder: folder.find(found.files)
    )
    ids = [i for i in found.ids if isinstance(i, int) and abs(i) < 1 << 63]
    if len(ids) < len(found.ids):  # what is written has numbers, as COCO has
        ids = list(range(1, len(found.ids) + 1))
    boxes = box_rows(
        len(found.image), image=found.image, box=found.boxes, written=found.boxes, label=found.category,
        flags=found.flags, area=found.area, crowd=found.crowd, ignore=found.ignore,
    )  # fmt: skip
    remarks, missing = [*found.remarks, *other_forms(photos)], missing_photos(folder, photos)
    images = (Path(folder.folder), ids, photos.names, found.sizes)
    spare = source.name == ROBOFLOW
    return Annotations(
        *images,
        boxes,
        found.names,
        json_file.WAY,
        missing,
        remarks=remarks,
        spare_names=spare,
        outlines=lambda: _outlines(source),
    )


def _outlines(source: Path) -> list[Any]:
    return read_coco_json(source, outlines=True).outlines or []
