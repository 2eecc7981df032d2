"""LabelMe's JSON, a file per photo."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.datasets.coco.json_file import OBJECT_FLAGS
from mmdetpre.datasets.packed.annotation_values import FLAG, MOST_PIXELS, flag_of, name_of, side_of
from mmdetpre.datasets.voc.xml_files import WAY
from mmdetpre.study.custom_data.formats.annotations import (
    Annotations,
    box_rows,
    find_photos,
    missing_photos,
    other_forms,
    photo_folders,
)
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.progress_bar import progress_bar

_NO_BOX = ("point", "points", "line", "linestrip")
_AROUND = {"polygon": 3, "mask": 2, "rotation": 4}
"""Shapes that the box around their points is taken of, and how many points they have at least."""
_FARTHEST = 1 << 30
_MANY = 2000
Corners = tuple[float, float, float, float]
Object = tuple[Corners, str, int]


def read_labelme(folder: Path, files: Sequence[Path], images_dir: Path | None, option: str) -> Annotations:
    """Read files of LabelMe: rectangles, and the boxes around polygons, circles and masks; shapes of one group are one.

    Args:
        folder: Their folder.
        files: The files.
        images_dir: Folder of the photos; None: a usual one beside them.
        option: What the command line calls that folder.

    Raises:
        FileNotFoundError: If no photo is there.
        ValueError: Names the file and the shape that is wrong.
    """
    told, sizes, rows = [], [], []
    around: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for i, file in enumerate(progress_bar(files, desc="reading JSON", unit=" files", disable=len(files) < _MANY)):
        content = read_json(file)
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            raise ValueError(f"{file} is not of LabelMe, as others in its folder are: it has no list of shapes.")
        path = content.get("imagePath")
        told.append(path if isinstance(path, str) and "\0" not in path else "")
        sides = [side_of(content.get(key)) for key in ("imageWidth", "imageHeight")]
        if None in sides:
            raise ValueError(f"{file}: imageWidth and imageHeight must be whole pixels, at most {MOST_PIXELS:,}.")
        sizes.append(sides if all(sides) else [0, 0])
        rows += [(i, *one) for one in _objects(file, content["shapes"], around, left_out)]
    stems = [file.stem for file in files]
    folder_of, photos = find_photos(photo_folders(folder, images_dir), lambda folder: folder.find_stems(stems, told))
    if len(photos.missing) == len(files) and not photos.several:
        where = images_dir or "the usual folders beside it"
        raise FileNotFoundError(
            f"{folder}: none of {len(files)} files of LabelMe has a photo in {where},"
            f" such as {told[0] or stems[0]}. Set {option} to the folder of the images."
        )
    names = sorted({label for _, _, label, _ in rows})
    corners = np.array([box for _, box, _, _ in rows], np.float64).reshape(-1, 4)
    extents = corners[:, 2:] - corners[:, :2]
    boxes = box_rows(
        len(rows), image=[row[0] for row in rows], box=np.concatenate([corners[:, :2], extents], axis=1),
        written=corners, label=[names.index(label) for _, _, label, _ in rows], flags=[flags for *_, flags in rows],
        area=extents.prod(axis=1),
    )  # fmt: skip
    if without := len(folder_of.stems() - {os.path.splitext(name)[0] for name in photos.names}):
        left_out["photos without a file of LabelMe"] = without
    remarks = other_forms(photos)
    if around:
        listed = " and ".join(f"{count} {what}s" for what, count in around.items())
        remarks.append(f"{listed} are read as the boxes around them")
    return Annotations(
        Path(folder_of.folder), list(range(1, len(files) + 1)), photos.names, np.array(sizes, np.int32), boxes, names,
        WAY, missing_photos(folder_of, photos), dict(left_out), remarks,
    )  # fmt: skip


def _objects(file: Path, shapes: Sequence[Any], around: Counter[str], left_out: Counter[str]) -> list[Object]:
    single: list[Object] = []
    groups: dict[tuple[str, str], Object] = {}
    for i, shape in enumerate(shapes):
        kind = shape.get("shape_type") or "polygon" if isinstance(shape, dict) else None
        if isinstance(kind, str) and kind in _NO_BOX:
            left_out[f"objects without a box ({kind})"] += 1
            continue
        label = name_of(shape.get("label")) if isinstance(shape, dict) else None
        corners = _corners(kind, _points(shape.get("points"))) if label else None
        if label is None or corners is None:
            raise ValueError(
                f"{file}: shapes[{i}] is {shape!r:.160}: expected a label, a shape_type such as rectangle or polygon,"
                " and its points, pairs of numbers."
            )
        if kind != "rectangle":
            around[str(kind)] += 1
        found = corners, label, _flags(file, i, shape)
        if (group := shape.get("group_id")) is None:
            single.append(found)
            continue
        other = groups.setdefault((label, str(group)), found)
        low = tuple(map(min, other[0][:2], corners[:2]))
        high = tuple(map(max, other[0][2:], corners[2:]))
        groups[label, str(group)] = (*low, *high), label, other[2] | found[2]  # type: ignore[assignment]
    return [*single, *groups.values()]


def _flags(file: Path, i: int, shape: dict[str, Any]) -> int:
    inner = shape.get("flags")
    told = {**(inner if isinstance(inner, dict) else {}), **shape}
    flags = 0
    for key, bit in OBJECT_FLAGS.items():
        value = flag_of(told.get(key))
        if value is None:
            raise ValueError(f"{file}: shapes[{i}] has {key} {told[key]!r:.40}, expected {FLAG}.")
        flags |= bit if value else 0
    return flags


def _points(points: Any) -> list[tuple[float, float]]:
    """The points; none of them if one is not two numbers."""
    if not isinstance(points, list):
        return []
    pairs = [pair for pair in points if isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))]
    return [(float(x), float(y)) for x, y in pairs] if len(pairs) == len(points) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _FARTHEST


def _corners(kind: Any, points: Sequence[tuple[float, float]]) -> Corners | None:
    if kind == "circle":
        if len(points) != 2:
            return None
        (x, y), radius = points[0], math.dist(*points)
        return x - radius, y - radius, x + radius, y + radius
    least = 2 if kind == "rectangle" else _AROUND.get(kind) if isinstance(kind, str) else None
    if least is None or len(points) < least:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)
