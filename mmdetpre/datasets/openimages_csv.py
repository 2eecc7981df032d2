"""Read the box annotations of OpenImages in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from mmdetpre.datasets.packed_annotations import IGNORE, OCCLUDED, TRUNCATED

_COORDINATES = ["XMin", "YMin", "XMax", "YMax"]
_FLAGS = {"IsGroupOf": IGNORE, "IsOccluded": OCCLUDED, "IsTruncated": TRUNCATED}
_TYPES = {"ImageID": str, "LabelName": str, **dict.fromkeys(_COORDINATES, np.float32), **dict.fromkeys(_FLAGS, np.int8)}
_HEADER = (
    *("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)
_ROWS_PER_CHUNK = 500_000
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
        flags: (M,) uint8 bits of :mod:`mmdetpre.datasets.packed_annotations`.
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
        max_images: Read the first so many images only.

    Raises:
        ValueError: If a column is missing, a value is no number, or no row has a known class.

    Example:
        >>> rows = read_box_csv("validation-annotations-bbox.csv", {"/m/0k4j": 0})  # doctest: +SKIP
    """
    described = set(labels) if described is None else described
    require_columns(path, list(_TYPES), _HEADER)
    index: dict[str, int] = {}
    parts: list[tuple[np.ndarray, ...]] = []
    dropped: Counter[str] = Counter()
    with open(path, "rb") as file, tqdm(total=Path(path).stat().st_size, unit="B", unit_scale=True) as bar:
        bar.set_description(f"reading {Path(path).name}")
        try:
            for chunk in pd.read_csv(file, usecols=list(_TYPES), dtype=_TYPES, chunksize=_ROWS_PER_CHUNK):
                parts.append(_read_chunk(chunk, index, labels, described, max_images, dropped))
                bar.update(file.tell() - bar.n)
        except (ValueError, pd.errors.ParserError) as error:
            raise ValueError(
                f"{path} cannot be read: {error}. Expected numbers in {', '.join(_COORDINATES)} and 0, 1 or -1 in"
                f" {', '.join(_FLAGS)}."
            ) from error
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else _empty()
    image, boxes, box_labels, flags = columns
    if dropped["unknown class"] and not len(image) and not dropped["class not chosen"]:
        raise ValueError(
            f"{path}: none of its {dropped['unknown class']} rows has a class of the label_file (found"
            f" {chunk['LabelName'].iloc[0]!r}, expected such as {min(described)!r}). Give the label_file that belongs"
            " to the CSV."
        )
    images = list(index)[:max_images]
    reasons = {reason: count for reason, count in dropped.items() if count}
    return BoxRows(images, image, boxes, box_labels, flags, dropped=reasons)


def require_columns(path: str | Path, columns: Sequence[str], header: Sequence[str]) -> None:
    """Check the first line of an official CSV.

    Raises:
        ValueError: Names the missing columns, those found and the official ``header``.
    """
    try:
        found = list(pd.read_csv(path, nrows=0).columns)
    except pd.errors.EmptyDataError:
        found = []
    if missing := [name for name in columns if name not in found]:
        raise ValueError(
            f"{path} lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}; it has"
            f" {', '.join(found) or 'none'}. Use the official OpenImages file, whose first line is {','.join(header)}."
        )


def _read_chunk(
    chunk: pd.DataFrame,
    index: dict[str, int],
    labels: dict[str, int],
    described: set[str],
    max_images: int | None,
    dropped: Counter[str],
) -> tuple[np.ndarray, ...]:
    codes, names = pd.factorize(chunk["ImageID"])
    # pandas gives empty cells the code -1: it finds the entry appended at the end
    image = np.array([*(index.setdefault(name, len(index)) for name in names), _EMPTY], np.int32)[codes]
    codes, mids = pd.factorize(chunk["LabelName"])
    label = np.array([*(labels.get(mid, -1 if mid in described else -2) for mid in mids), _EMPTY], np.int16)[codes]
    boxes = chunk[_COORDINATES].to_numpy(np.float32)
    flags = np.zeros(len(chunk), np.uint8)
    for name, bit in _FLAGS.items():
        flags[chunk[name].to_numpy() == 1] |= bit
    keep = np.ones(len(chunk), bool) if max_images is None else image < max_images
    inside = ((boxes >= -_OVERSHOOT) & (boxes <= 1 + _OVERSHOOT)).all(axis=1)  # false for NaN
    boxes = boxes.clip(0, 1)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    for reason, good in (
        ("no image id", image != _EMPTY),
        ("no class", label != _EMPTY),
        ("unknown class", label != -2),
        ("class not chosen", label != -1),
        ("box outside the image", inside),
        ("box without area", solid),
    ):
        dropped[reason] += int(np.count_nonzero(keep & ~good))
        keep &= good
    return image[keep], boxes[keep], label[keep], flags[keep]


def _empty() -> list[np.ndarray]:
    return [np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.int16), np.zeros(0, np.uint8)]
