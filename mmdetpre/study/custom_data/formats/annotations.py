"""What annotation files of any format say: images and boxes in the terms of COCO, not checked further."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mmdetpre.datasets.images.photo_names import FoundPhotos, PhotoFolder

_DESCRIBED = 3
_FOLDERS = (".", "images", "JPEGImages", "photos", "../images", "../JPEGImages", "../photos", "..")

BOX_ROW = np.dtype(
    [("id", "i8"), ("image", "i8"), ("box", "f8", 4), ("written", "f8", 4), ("label", "i8")]
    + [("flags", "u1"), ("area", "f8"), ("crowd", "?"), ("ignore", "?")]
)
"""A box: its place in the file from 1, index of its image, x, y, width, height in pixels, the four numbers of the file,
index of its class, bits of `mmdetpre.datasets.coco.json_file.OBJECT_FLAGS`, area in pixels, and whether it is a crowd
or to be ignored."""


@dataclass(frozen=True)
class Annotations:
    """What the files say, of the right form, and not checked further.

    Attributes:
        images_dir: Folder that the file names of the images are relative to.
        ids, files, sizes: Of the N images: whole numbers, names, and (N, 2) width and height, 0 where unknown.
        boxes: Rows of `BOX_ROW`.
        names: Names of the classes.
        way: How boxes are written, a key of `mmdetpre.datasets.packed.box_form.WAYS`.
        missing: Indices of the images that are not there, and their names, the first with what is there instead.
        left_out: How many things were skipped, by what they are.
        remarks: What to say although it was read.
        fractions: Boxes and what is written are fractions of the sides of the photo, turned upright; areas are 0.
        spare_names: The format names classes that no box needs to have.
        outlines: Reads the outline of every box, in pixels, as COCO has it as ``segmentation``; None: there are none.
    """

    images_dir: Path
    ids: list[int]
    files: list[str]
    sizes: np.ndarray
    boxes: np.ndarray
    names: list[str]
    way: str
    missing: dict[int, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    fractions: bool = False
    spare_names: bool = False
    outlines: Callable[[], Sequence[Any]] | None = None


def box_rows(count: int, **columns: ArrayLike) -> np.ndarray:
    """Rows of `BOX_ROW` with the ids 1, 2, ..., 0 in the columns that are not given."""
    rows = np.zeros(count, BOX_ROW)
    rows["id"] = np.arange(1, count + 1)
    for name, values in columns.items():
        rows[name] = values
    return rows


def photo_folders(beside: Path, images_dir: Path | None, stem: str = "") -> list[PhotoFolder]:
    """The folder that was named, or the usual ones beside annotations.

    Args:
        beside: Folder of the annotations.
        images_dir: What was named.
        stem: Name of the annotation file; what follows its last ``_`` may be a folder too (``instances_train2017``).
    """
    if images_dir is not None:
        return [PhotoFolder(images_dir)]
    part = stem.rpartition("_")[2]
    names = [*_FOLDERS, *(f"{folder}/{part}" for folder in (".", "..", "images", "../images") if part)]
    folders = [PhotoFolder(beside / name, deep=name not in (".", "..")) for name in names if (beside / name).is_dir()]
    return folders or [PhotoFolder(beside, deep=False)]


def find_photos(
    folders: Sequence[PhotoFolder], find: Callable[[PhotoFolder], FoundPhotos]
) -> tuple[PhotoFolder, FoundPhotos]:
    """The folder that holds most of the photos, the first on ties."""
    best = None
    for folder in folders:
        photos = find(folder)
        if best is None or len(photos.missing) < len(best[1].missing):
            best = folder, photos
        if not photos.missing:
            break
    assert best is not None
    return best


def missing_photos(folder: PhotoFolder, photos: FoundPhotos) -> dict[int, str]:
    """Indices of the missing photos, and what to call them."""
    names = {i: photos.names[i] for i in photos.missing}
    return names | {i: folder.describe_missing(photos, [i]) for i in photos.missing[:_DESCRIBED]}


def other_forms(photos: FoundPhotos) -> list[str]:
    """What to say of photos that go by another form of their name."""
    if not photos.other_form:
        return []
    row, written = next(iter(photos.other_form.items()))
    count = len(photos.other_form)
    photo = "photo goes" if count == 1 else "photos go"
    return [f"{count} {photo} by another form of their name ({photos.names[row]} for {written})"]
