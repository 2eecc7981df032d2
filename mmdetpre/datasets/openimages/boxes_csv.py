"""Read the box annotations of OpenImages in bounded memory."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmdetpre.datasets.openimages.csv_form import CsvForm, csv_form
from mmdetpre.datasets.packed.annotations import IGNORE, OCCLUDED, TRUNCATED
from mmdetpre.utils.progress_bar import progress_bar

_COORDINATES = ["XMin", "YMin", "XMax", "YMax"]
_FLAGS = {"IsGroupOf": IGNORE, "IsOccluded": OCCLUDED, "IsTruncated": TRUNCATED}
_TYPES = {
    "ImageID": str,
    "LabelName": str,
    **dict.fromkeys(_COORDINATES, np.float32),
    **dict.fromkeys(_FLAGS, np.float32),
}
_HEADER = (
    *("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)
_LIKELY = {
    "box outside the image": "box outside of the image: expected fractions of its width and height, from 0 to 1. If"
    " these are pixels, divide them by width and height of each image; if they are percent, by 100.",
    "box without area": "box without area: XMax must exceed XMin, and YMax YMin. If the two are width and height, add"
    " XMin and YMin to them.",
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_NO_NUMBER = ("", "nan", "NaN", "NA", "N/A", "null", "NULL", "None", "inf", "-inf")  # such a box is left out
_EMPTY = -3
_OVERSHOOT = 0.01  # of the image side: rounding in the source, clipped; beyond that the row is wrong


@dataclass(frozen=True)
class BoxRows:
    """Rows of a box CSV as columns.

    Attributes:
        images: Image ids in order of first appearance, those without any kept box included.
        image: (M,) int32 index into ``images``.
        boxes: (M, 4) float32 x1, y1, x2, y2 as fractions of the image sides, within [0, 1].
        labels: (M,) int16.
        flags: (M,) uint8 bits of :mod:`mmdetpre.datasets.packed.annotations`.
        dropped: How many rows were left out, by reason.
    """

    images: list[str]
    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    flags: np.ndarray
    dropped: dict[str, int]


def read_box_csv(
    path: str | Path, labels: dict[str, int], described: set[str] | None = None, max_images: int | None = None
) -> BoxRows:
    """Read an official box CSV (``ImageID,Source,LabelName,...``; columns are found by name).

    Args:
        path: The CSV.
        labels: Label by MID of the chosen classes. Rows of other classes are counted and left out.
        described: All known MIDs, to tell classes that were not chosen from unknown ones.
        max_images: Read only the first N images.

    Raises:
        ValueError: If a column is missing, a value is not a number, coordinates are not fractions, or no row has a
            known class; names the line.

    Example:
        >>> rows = read_box_csv("validation-annotations-bbox.csv", {"/m/0k4j": 0})
        >>> rows.boxes.tolist()
        [[0.25, 0.5, 0.75, 1.0]]
    """
    described = set(labels) if described is None else described
    form = csv_form(path, list(_TYPES), _HEADER)
    choice = _Choice(labels, described, max_images)
    try:
        rows, first_mid = _read(form, choice)
    except (ValueError, OverflowError, pd.errors.ParserError) as error:
        told = str(error)
        if not told.startswith(form.path):
            told = f"{path} cannot be read: {error}. Expected rows {','.join(_HEADER)}."
        raise ValueError(form.wrong_row(_CHECKS) or told) from None
    dropped = rows.dropped
    if dropped.get("unknown class") and not len(rows.image) and not dropped.get("class not chosen"):
        raise ValueError(
            f"{path}: none of its {dropped['unknown class']} rows has a class of the label_file (found"
            f" {first_mid!r}, expected such as {min(described)!r}). Give the label_file that belongs to the CSV."
        )
    return rows


@dataclass(frozen=True)
class _Choice:
    """What is read: label by MID, the MIDs that are known, and how many images."""

    labels: dict[str, int]
    described: set[str]
    max_images: int | None


def _read(form: CsvForm, choice: _Choice) -> tuple[BoxRows, str]:
    """The rows, and the class of the last one."""
    index: dict[str, int] = {}
    parts: list[tuple[np.ndarray, ...]] = []
    dropped: Counter[str] = Counter()
    odd: dict[str, int] = {}
    total, mid = 0, ""
    with (
        open(form.path, "rb") as file,
        progress_bar(total=os.path.getsize(form.path), unit="B", unit_scale=True) as bar,
    ):
        bar.set_description(f"reading {Path(form.path).name}")
        for chunk in form.chunks(_TYPES, file):
            parts.append(_read_chunk(chunk, index, choice, dropped, odd, total))
            total += len(chunk)
            mid = str(chunk["LabelName"].iloc[0]) if len(chunk) else mid
            bar.update(file.tell() - bar.n)
    for reason, what in _LIKELY.items():
        if dropped[reason] > (total - dropped["blank rows"]) / 2:
            line = form.line_of(odd[reason])
            raise ValueError(
                f"{form.path}, line {line} is the first of {dropped[reason]} of {total} rows with a {what}"
            )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else _empty()
    image, boxes, box_labels, flags = columns
    images = list(index)[: choice.max_images]
    reasons = {reason: count for reason, count in dropped.items() if count}
    return BoxRows(images, image, boxes, box_labels, flags, dropped=reasons), mid


def _read_chunk(
    chunk: pd.DataFrame,
    index: dict[str, int],
    choice: _Choice,
    dropped: Counter[str],
    odd: dict[str, int],
    before: int,
) -> tuple[np.ndarray, ...]:
    """The kept rows of a chunk; counts the others in ``dropped``, and notes the first row of each reason in ``odd``."""
    labels, described, max_images = choice.labels, choice.described, choice.max_images
    codes, names = pd.factorize(chunk["ImageID"])
    # pandas gives empty cells the code -1: it finds the entry appended at the end
    image = np.array([*(index.setdefault(name, len(index)) for name in names), _EMPTY], np.int32)[codes]
    codes, mids = pd.factorize(chunk["LabelName"])
    label = np.array([*(labels.get(mid, -1 if mid in described else -2) for mid in mids), _EMPTY], np.int16)[codes]
    boxes = chunk[_COORDINATES].to_numpy(np.float32)
    flags = np.zeros(len(chunk), np.uint8)
    filled = np.ones(len(chunk), bool)
    if chunk[list(_FLAGS)].isna().to_numpy().any():
        filled = ~chunk.isna().to_numpy().all(axis=1)
    for name, bit in _FLAGS.items():
        values = chunk[name].to_numpy()
        if not ((values == 0) | (values == 1) | (values == -1) | ~filled).all():
            raise ValueError(f"{name} is not a flag")  # the line is found by wrong_row
        flags[values == 1] |= bit
    keep = np.ones(len(chunk), bool) if max_images is None else image < max_images
    inside = ((boxes >= -_OVERSHOOT) & (boxes <= 1 + _OVERSHOOT)).all(axis=1)  # false for NaN
    boxes = boxes.clip(0, 1)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    for reason, good in (
        ("blank rows", filled),
        ("no image id", image != _EMPTY),
        ("no class", label != _EMPTY),
        ("unknown class", label != -2),
        ("class not chosen", label != -1),
        ("box outside the image", inside),
        ("box without area", solid),
    ):
        bad = keep & ~good
        if count := int(np.count_nonzero(bad)):
            dropped[reason] += count
            odd.setdefault(reason, before + int(np.argmax(bad)))
        keep &= good
    return image[keep], boxes[keep], label[keep], flags[keep]


def _number_problem(cell: str) -> str:
    return "" if _NUMBER.fullmatch(cell.strip()) or cell.strip() in _NO_NUMBER else "expected a number from 0 to 1"


def _flag_problem(cell: str) -> str:
    good = _NUMBER.fullmatch(cell.strip()) and float(cell) in (-1, 0, 1)
    return "" if good else "expected 0, 1 or -1 (not known)"


_CHECKS = dict.fromkeys(_COORDINATES, _number_problem) | dict.fromkeys(_FLAGS, _flag_problem)


def _empty() -> list[np.ndarray]:
    return [np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.int16), np.zeros(0, np.uint8)]
