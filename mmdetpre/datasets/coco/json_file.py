"""The one reader of COCO's JSON, for data sets, studies of one's own data and tools: checked, and as columns."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.datasets.packed.annotation_values import (
    FLAG,
    MOST_PIXELS,
    area_of,
    box_table,
    converted,
    converted_ids,
    first_not_text,
    flag_of,
    is_box,
    name_of,
    side_of,
)
from mmdetpre.datasets.packed.annotations import DIFFICULT, OCCLUDED, TRUNCATED
from mmdetpre.utils.bounded_files import GIB, paused_collector, read_json

OBJECT_FLAGS = {"difficult": DIFFICULT, "occluded": OCCLUDED, "truncated": TRUNCATED}
"""Keys of VOC's flags, 0 or 1, that an annotation may carry beyond COCO's own -> bit of the table's flags."""
WAY = "x y width height"
"""The four numbers of a box, a key of `mmdetpre.datasets.packed.box_form.WAYS`."""

_KEYS = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}


@dataclass(frozen=True)
class CocoFile:
    """A COCO file as columns, every value of its kind, every reference pointing at something.

    Attributes:
        path: The file.
        files: File names of the N images, as written and in the order of the file.
        ids: Ids of the images: whole numbers or texts.
        sizes: (N, 2) int32 width and height, (0, 0) where the file does not tell them.
        image: (M,) int32 index of each annotation's image.
        boxes: (M, 4) float64 x, y, width, height in pixels, as written.
        category: (M,) int32 index into ``names``.
        area: (M,) float64 in pixels, width times height of the box where the file tells none.
        crowd, ignore: (M,) bool, the keys ``iscrowd`` and ``ignore``.
        flags: (M,) uint8, bits of `OBJECT_FLAGS`.
        known_flags: Keys of `OBJECT_FLAGS` that any annotation carries; the file says nothing of the others.
        names: Names of the C classes, without blanks at their ends, in the order of the file.
        category_ids: Category id of each.
        merged: Names of categories that differ from an earlier one by blanks or the form of Unicode alone; their
            annotations are of that one.
        outlines: What each annotation has as ``segmentation``, not checked, or None; None: not asked for.
    """

    path: Path
    files: list[str]
    ids: list[int | str]
    sizes: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    category: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    ignore: np.ndarray
    flags: np.ndarray
    known_flags: list[str]
    names: list[str]
    category_ids: list[int | str]
    merged: list[str]
    outlines: list[Any] | None = None

    @property
    def remarks(self) -> list[str]:
        """What to say of the file although it was read."""
        return [f"the category {name!r} is the class {name_of(name)!r} in another spelling" for name in self.merged]


@paused_collector()
def read_coco_json(path: str | os.PathLike, *, need_annotations: bool = True, outlines: bool = False) -> CocoFile:
    """Read a detection file of COCO (``instances_*.json``, or ``image_info_*.json`` without annotations).

    Boxes are four finite numbers; flags 0, 1, true or false, also as texts; ids whole numbers of any size or texts;
    names are stripped; sizes and areas may be missing or null. CVAT's ``attributes`` may hold the keys of
    `OBJECT_FLAGS`.

    Args:
        path: The JSON.
        need_annotations: False allows a file without the key ``annotations``, or an empty list of them.
        outlines: Keep the outlines of the objects too, which take most of the memory.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: Names the file, the first entry that is invalid, and what was expected.

    Example:
        >>> read_coco_json("annotations/instances_val2017.json").names[:2]
        ['person', 'bicycle']
    """
    path = Path(path)
    content = read_json(path, most_bytes=8 * GIB)
    rows = {key: _rows(path, content, key, need_annotations or key != "annotations") for key in _KEYS}
    images, annotations, categories = (_Table(path, key, rows[key]) for key in _KEYS)
    ids, files = images.ids("id"), images.column("file_name")
    if (bad := first_not_text(files)) is not None:
        raise images.error(bad, "file_name", "a name")
    images.require_different("id", ids)
    images.require_different("file_name", [posixpath.normpath(f) if "./" in f or "//" in f else f for f in files])
    sizes = [images.converted(side, side_of, f"whole pixels, at most {MOST_PIXELS:,}") for side in ("width", "height")]
    table = np.array(sizes, np.int32).T.reshape(-1, 2)
    table[table.min(axis=1, initial=MOST_PIXELS) == 0] = 0

    category_ids = categories.ids("id")
    categories.require_different("id", category_ids)
    raw = categories.column("name")
    names = categories.converted("name", name_of, "a name")
    categories.require_different("name", raw)
    index = {name: i for i, name in enumerate(dict.fromkeys(names))}
    first = [names.index(name) for name in index]

    boxes = annotations.boxes("bbox")
    area = np.array(annotations.converted("area", area_of, "a number or null"), np.float64)
    flags, known_flags = np.zeros(len(annotations.rows), np.uint8), []
    for key, bit in OBJECT_FLAGS.items():
        values = annotations.flags(key, inside="attributes")
        if values is not None:
            known_flags.append(key)
            flags |= values * np.uint8(bit)
    crowd, ignore = (annotations.flags(key) for key in ("iscrowd", "ignore"))
    none = np.zeros(len(annotations.rows), np.uint8)
    labels = {number: index[name] for number, name in zip(category_ids, names, strict=True)}
    return CocoFile(
        path=path,
        files=files,
        ids=ids,
        sizes=table,
        image=annotations.references("image_id", {number: i for i, number in enumerate(ids)}, "images"),
        boxes=boxes,
        category=annotations.references("category_id", labels, "categories"),
        area=np.where(area > 0, area, boxes[:, 2] * boxes[:, 3]),
        crowd=(none if crowd is None else crowd).astype(bool),
        ignore=(none if ignore is None else ignore).astype(bool),
        flags=flags,
        known_flags=known_flags,
        names=list(index),
        category_ids=[category_ids[i] for i in first],
        merged=[raw[i] for i in range(len(raw)) if i not in first],
        outlines=[row.get("segmentation") for row in annotations.rows] if outlines else None,
    )


def match_classes(found: CocoFile, classes: Sequence[str]) -> np.ndarray:
    """(C,) label of each class of a file, -1 for those that are not chosen.

    Raises:
        ValueError: If classes are not in the file, named twice, or in another order than there.
    """
    wanted = [name_of(name) for name in classes]
    listed = (
        f"\n    classes of the data set: {', '.join(classes)}\n    categories of the file: {', '.join(found.names)}\n"
    )
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"{found.path}: a class is named twice.{listed}Names must differ.")
    if missing := [name for name, known in zip(classes, wanted, strict=True) if known not in found.names]:
        raise ValueError(
            f"{found.path}: the class list does not match, the file has no {', '.join(missing)}.{listed}"
            "Set classes=[...] of the data set to names of the file."
        )
    in_order = [name for name in found.names if name in wanted]
    if in_order != wanted:
        raise ValueError(
            f"{found.path}: the class list does not match the order of the file, by which mmdet and CocoMetric number"
            f" labels.{listed}Set classes={in_order} of the data set."
        )
    label = {name: i for i, name in enumerate(in_order)}
    return np.array([label.get(name, -1) for name in found.names], np.int64)


def _rows(path: Path, content: Any, key: str, needed: bool) -> list[dict[str, Any]]:
    """The list of a key, each entry an object with the keys it needs."""
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "a text" if isinstance(content, str) else f"{content!r:.40}"
        raise ValueError(f"{path} is not a COCO file: it holds {kind}, expected an object.")
    if key not in content and not needed:
        return []
    rows = content.get(key)
    if not isinstance(rows, list):
        found = f"it has no key {key!r}" if key not in content else f"its {key!r} is not a list"
        raise ValueError(f"{path} is not a COCO file: {found}. It needs {', '.join(_KEYS)}.")
    if not rows and needed:
        raise ValueError(f"{path}: the list {key!r} is empty: nothing can be learned from it, or tested on it.")
    keys = _KEYS[key]
    for i, row in enumerate(rows):
        if type(row) is not dict or any(row.get(name) is None for name in keys):
            lacks = [name for name in keys if not isinstance(row, dict) or row.get(name) is None]
            raise ValueError(f"{path}: {key}[{i}] has no {' and no '.join(map(repr, lacks))}.")
    return rows


@dataclass(frozen=True)
class _Table:
    """A list of the file; its columns are checked as a whole, and the first bad entry is named."""

    path: Path
    key: str
    rows: list[dict[str, Any]]

    def column(self, name: str) -> list[Any]:
        return [row.get(name) for row in self.rows]

    def error(self, i: int, name: str, expected: str) -> ValueError:
        row = self.rows[i]
        number = f" (id {row['id']!r:.40})" if self.key == "annotations" and row.get("id") is not None else ""
        found = f"{row.get(name)!r:.120}"
        return ValueError(f"{self.path}: {self.key}[{i}]{number} has {name} {found}, expected {expected}.")

    def converted(self, name: str, rule: Callable[[Any], Any], expected: str) -> list[Any]:
        values, bad = converted(self.column(name), rule)
        if bad is not None:
            raise self.error(bad, name, expected)
        return values

    def ids(self, name: str) -> list[int | str]:
        values, bad = converted_ids(self.column(name))
        if bad is not None:
            raise self.error(bad, name, "a whole number or a text")
        return values

    def boxes(self, name: str) -> np.ndarray:
        boxes = self.column(name)
        table = box_table(boxes)
        if table is None:
            bad = next(i for i, box in enumerate(boxes) if not is_box(box))
            raise self.error(bad, name, "[x, y, width, height] in pixels")
        return table

    def flags(self, name: str, inside: str | None = None) -> np.ndarray | None:
        """(M,) uint8, or None where no entry has the key."""
        values = self.column(name)
        if inside and any(inside in row for row in self.rows):
            inner = (row.get(inside) for row in self.rows)
            values = [
                other.get(name) if value is None and isinstance(other, dict) else value
                for value, other in zip(values, inner, strict=True)
            ]
        if all(value is None for value in values):
            return None
        found, bad = converted(values, flag_of)
        if bad is not None:
            raise ValueError(f"{self.path}: {self.key}[{bad}] has {name} {values[bad]!r:.120}, expected {FLAG}.")
        return np.array(found, np.uint8)

    def references(self, name: str, places: dict[int | str, int], listed: str) -> np.ndarray:
        """(M,) int32, the place of each id."""
        ids = self.ids(name)
        found = np.fromiter((places.get(value, -1) for value in ids), np.int32, len(ids))
        if len(ids) and found.min() < 0:
            i = int(found.argmin())
            twin = next((place for place in places if str(place) == str(ids[i])), None)
            kinds = "" if twin is None else f" (they have {twin!r}: a text is not a number)"
            raise ValueError(f"{self.path}: {self.key}[{i}] has {name} {ids[i]!r:.120}, which {listed} lacks{kinds}.")
        return found

    def require_different(self, name: str, values: Sequence[int | str]) -> None:
        kinds = set(map(type, values))
        if len(kinds) > 1:  # of 1 and "1" only one can be meant
            values = [str(value) for value in values]
        if len(set(values)) == len(values):
            return
        seen: set[int | str] = set()
        for value in values:
            if value in seen:
                raise ValueError(f"{self.path}: two {self.key} have the {name} {value!r:.120}: they must differ.")
            seen.add(value)
