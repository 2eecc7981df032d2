"""YOLO's labels, a text file per photo: read into the table of all formats."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mmdetpre.study.custom_data.formats.annotations import Annotations, box_rows
from mmdetpre.study.custom_data.formats.yolo_layout import NAME_LISTS, YoloLayout
from mmdetpre.utils.bounded_files import MIB, read_bounded
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.text_files import decode_text, text_lines

WAY = "center form (center x, center y, width, height)"
"""The four numbers of a box, a key of `mmdetpre.datasets.packed.box_form.WAYS`."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_CLASS = re.compile(r"\d{1,9}(\.0*)?", re.ASCII)
_MOST_BYTES = 16 * MIB
_FARTHEST = 1 << 20
_CLOSE = 1.01
_MANY = 2000
_EXPECTED = "expected class, center x, center y, width, height, or class and the corners of a polygon"

Row = tuple[int, tuple[float, ...]]


def read_yolo(layout: YoloLayout, part: str) -> Annotations:
    """Read the labels of the photos of one part. A photo without a label file shows no object.

    Lines hold a class and a box, or a class and a polygon, of which the enclosing box is taken; all numbers are
    fractions of the sides of the photo, as it is shown.

    Args:
        layout: Where everything is.
        part: Key of ``layout.parts``.

    Raises:
        FileNotFoundError: If no photo has a label file.
        ValueError: Names the file and line that is wrong.
    """
    photos = layout.parts[part]
    labels, folders = _label_files(layout, part)
    if not labels:
        raise FileNotFoundError(
            f"{layout.told_by}: none of {len(photos)} photos{f' of {part}' if part else ''} has a label file, such as"
            f" {_candidates(layout, photos[0])[0]} for {photos[0]}."
        )
    rows: list[tuple[int, Row]] = []
    polygons, copies = 0, 0
    bar = progress_bar(labels.items(), desc="reading labels", unit=" files", disable=len(labels) < _MANY)
    beyond: list[str] = []
    for image, file in bar:
        found = list(_lines(file, layout))
        different = list(dict.fromkeys(row for _, row, _ in found))
        polygons += sum(outline for _, _, outline in found)
        copies += len(found) - len(different)
        rows += [(image, row) for row in different]
        beyond += [f"{file}, line {line}" for line, (_, box), _ in found if max(map(abs, box)) > _CLOSE]
    if len(beyond) > len(rows) / 2:
        raise ValueError(
            f"{len(beyond)} of {len(rows)} boxes have numbers beyond 1, the first in {beyond[0]}: YOLO's labels are"
            " fractions of the width and height of the photo. If they are pixels, divide them by the two."
        )
    astray = _without_photo(layout, folders)
    names = [*photos, *astray]
    missing = {i: names[i] for i in range(len(photos)) if not (layout.root / names[i]).is_file()}
    missing |= {i: f"the photo of {astray[i - len(photos)]}" for i in range(len(photos), len(names))}
    written = np.array([box for _, (_, box) in rows], np.float64).reshape(-1, 4)
    corners = np.concatenate([written[:, :2] - written[:, 2:] / 2, written[:, 2:]], axis=1)
    images = [image for image, _ in rows]
    boxes = box_rows(len(rows), image=images, box=corners, written=written, label=[label for _, (label, _) in rows])
    remarks = list(layout.remarks)
    if polygons:
        remarks.append(f"{polygons} polygons of {len(rows)} boxes are read as the boxes around them")
    ids, sizes = list(range(1, len(names) + 1)), np.zeros((len(names), 2), np.int32)
    left_out = {"boxes that their label file has twice": copies} if copies else {}
    return Annotations(
        layout.root, ids, names, sizes, boxes, layout.names, WAY, missing, left_out, remarks,
        fractions=True, spare_names=True,
    )  # fmt: skip


def _candidates(layout: YoloLayout, photo: str) -> list[Path]:
    """Where the labels of a photo can be: by the rule, and beside it."""
    stem = os.path.splitext(photo)[0] + ".txt"
    if layout.labels_dir is not None:
        return [layout.labels_dir / stem]
    *folders, file = stem.split("/")
    beside = layout.root / stem
    if "images" in folders:
        at = len(folders) - 1 - folders[::-1].index("images")
        return [layout.root.joinpath(*folders[:at], "labels", *folders[at + 1 :], file), beside]
    if layout.root.name == "images":
        return [layout.root.parent / "labels" / stem, beside]
    return [beside]


def _label_files(layout: YoloLayout, part: str) -> tuple[dict[int, Path], set[Path]]:
    """The label file of each photo that has one, and the folders of label files."""
    photos = layout.parts[part]
    candidates = [_candidates(layout, photo) for photo in photos]
    found: dict[int, Path] = {}
    for choice in range(max(map(len, candidates))):
        found = {
            i: files[choice] for i, files in enumerate(candidates) if files[choice:] and os.path.lexists(files[choice])
        }
        if found:
            break
    owners: dict[Path, int] = {}
    for i, file in found.items():
        if owners.setdefault(file, i) != i:
            raise ValueError(f"{photos[owners[file]]} and {photos[i]} share the labels {file}: remove one of the two.")
    folders = {file.parent for file in found.values()} if layout.folders.get(part) else set()
    for place in layout.folders.get(part, ()):
        folder = _candidates(layout, posixpath.normpath(posixpath.join(place, "x.jpg")))[0].parent
        folders |= {folder} if folder.is_dir() else set()
    return found, folders


def _without_photo(layout: YoloLayout, folders: Iterable[Path]) -> list[str]:
    """Label files without a photo, relative to the root."""
    known = {file for photos in layout.parts.values() for photo in photos for file in _candidates(layout, photo)}
    files = (Path(folder, name) for folder in sorted(folders) for name in sorted(os.listdir(folder)))
    astray = (f for f in files if f.suffix == ".txt" and f.name not in NAME_LISTS and f not in known and f.is_file())
    return [os.path.relpath(file, layout.root) for file in astray if _holds_labels(file)]


def _holds_labels(file: Path) -> bool:
    with file.open("rb") as opened:
        words = opened.readline(1000).decode("latin-1").split()
    return len(words) >= 5 and all(_NUMBER.fullmatch(word) for word in words)


def _lines(file: Path, layout: YoloLayout) -> Iterator[tuple[int, Row, bool]]:
    """Number of each line, its class and box, and whether it was a polygon."""
    for line in text_lines(decode_text(read_bounded(file, _MOST_BYTES), file)):
        words = line.text.split()
        label, values = words[0], _numbers(words[1:])
        where = f"{file}, line {line.number}"
        if values is None or not _CLASS.fullmatch(label):
            raise ValueError(f"{where}: {line.text.strip()[:60]!r} is not a label: {_EXPECTED}, numbers and blanks.")
        if int(float(label)) >= len(layout.names):
            raise ValueError(
                f"{where}: class {label}, but {layout.told_by.name} names {len(layout.names)}, 0 to"
                f" {len(layout.names) - 1}. Name all classes there, or correct the labels."
            )
        if layout.keypoints and len(values) == 4 + layout.keypoints:
            values = values[:4]
        if len(values) == 4:
            yield line.number, (int(float(label)), tuple(values)), False
        elif len(values) >= 6 and len(values) % 2 == 0 and not layout.keypoints:
            yield line.number, (int(float(label)), _around(values)), True
        else:
            hint = ". The last number may be a score: remove it" if len(values) == 5 else ""
            raise ValueError(f"{where} has {len(words)} numbers: {_EXPECTED}{hint}.")


def _numbers(words: Sequence[str]) -> list[float] | None:
    if not all(_NUMBER.fullmatch(word) for word in words):
        return None
    values = [float(word) for word in words]
    return values if all(abs(value) <= _FARTHEST for value in values) else None


def _around(values: Sequence[float]) -> tuple[float, ...]:
    """Center form of the box around a polygon x, y, x, y, ..."""
    (left, top), (right, bottom) = (min(values[0::2]), min(values[1::2])), (max(values[0::2]), max(values[1::2]))
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
