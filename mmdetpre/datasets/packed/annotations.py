"""One memory-mapped table of the boxes of a whole data set, shared by every worker."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import checksums
from mmdetpre.utils.name_column import NameColumn
from mmdetpre.utils.whole_file import write_json

IGNORE = 1  # crowd, group-of or difficult: never a target, never a negative
DIFFICULT = 2
OCCLUDED = 4
TRUNCATED = 8

FORMAT = "mmdetpre packed annotations"
FORMAT_VERSION = 2
COLUMNS = ("sizes", "box_offsets", "boxes", "labels", "flags", "name_bytes", "name_offsets")
IDS = "ids"  # what a table may lack
MASKS = ("mask_bytes", "mask_offsets")  # likewise


@dataclass(frozen=True, eq=False)
class PackedAnnotations:
    """The images and boxes of one data set as columns.

    Images are rows ``0 .. N-1``; the boxes of image ``i`` are ``boxes[box_offsets[i]:box_offsets[i + 1]]``. Opened from
    a directory the columns are memory maps: opening takes no time, forked workers share one copy, and pickling to a
    spawned worker sends the path alone.

    Args:
        classes: Class names; a label is an index into them.
        sizes: (N, 2) int32 width and height in pixels; (0, 0) marks an image that could not be read.
        box_offsets: (N + 1,) int64.
        boxes: (M, 4) float32 x1, y1, x2, y2 in pixels, half-open, inside the image, no side below 1 pixel.
        labels: (M,) int16.
        flags: (M,) uint8, bits ``IGNORE``, ``DIFFICULT``, ``OCCLUDED``, ``TRUNCATED``.
        names: N image names; ``path(i)`` is prefix + name + suffix.
        ids: (N,) int64 numbers of the images in their source (COCO), or ``None`` where images go by their names.
        masks: M run lengths of the objects' masks, as COCO writes them in texts, empty where there is none; ``None``
            for a table without masks.
        notes: What was left out while packing and how often.
        extra: What else a reader must find again without its source (category ids ...), as JSON knows it.
        directory: Where the columns lie on disk, or ``None`` for a table in memory.

    Example:
        >>> import numpy as np
        >>> table = PackedAnnotations.from_boxes(
        ...     names=["a.jpg", "b.jpg"], sizes=[(100, 80), (64, 64)], classes=["cat"],
        ...     image=np.array([1, 0]), boxes=np.array([[0, 0, 9, 9], [10, 10, 120, 50.]]), labels=np.array([0, 0]))
        >>> len(table), table.boxes_of(0).tolist()
        (2, [[10.0, 10.0, 100.0, 50.0]])
    """

    classes: tuple[str, ...]
    sizes: np.ndarray
    box_offsets: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    flags: np.ndarray
    names: NameColumn
    ids: np.ndarray | None = None
    masks: NameColumn | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    directory: Path | None = None
    prefix: str = ""
    suffix: str = ""

    @classmethod
    def from_boxes(
        cls,
        *,
        names: Sequence[str],
        sizes: np.ndarray | Sequence[tuple[int, int]],
        classes: Sequence[str],
        image: np.ndarray,
        boxes: np.ndarray,
        labels: np.ndarray,
        flags: np.ndarray | None = None,
        ids: np.ndarray | None = None,
        masks: Sequence[str] | None = None,
        notes: Mapping[str, int] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> PackedAnnotations:
        """Pack boxes given in any order: clip them to their image, drop what is below 1 pixel, group them by image.

        Args:
            names: N image names.
            sizes: (N, 2) width and height.
            classes: Class names.
            image: (M,) the image index of each box.
            boxes: (M, 4) x1, y1, x2, y2 in pixels. The array is not changed.
            labels: (M,) class indices.
            flags: (M,) bits, or ``None`` for none set.
            ids: (N,) numbers of the images, or ``None``.
            masks: M run lengths of masks, see the class.
            notes: Counts of what the reader has left out already.
            extra: What else to keep with the table.

        Raises:
            ValueError: If there are more than 32,767 classes.
        """
        if len(classes) > np.iinfo(np.int16).max:
            raise ValueError(f"{len(classes)} classes do not fit the table's 16-bit labels.")
        sizes = np.asarray(sizes, np.int32).reshape(-1, 2)
        image = np.asarray(image, np.int32)
        order = None if len(image) < 2 or (image[1:] >= image[:-1]).all() else np.argsort(image, kind="stable")
        flags = np.zeros(len(image), np.uint8) if flags is None else flags
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        if order is not None:
            image, boxes, labels, flags = image[order], boxes[order], labels[order], flags[order]
        boxes = np.maximum(boxes, 0)
        for axis in range(2):
            limit = sizes[image, axis].astype(np.float32)
            np.minimum(boxes[:, axis], limit, out=boxes[:, axis])
            np.minimum(boxes[:, axis + 2], limit, out=boxes[:, axis + 2])
        readable = sizes[image].min(axis=1, initial=np.iinfo(np.int32).max) > 0
        large = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
        keep = readable & large
        notes = dict(notes or {})
        _count(notes, "boxes in unreadable images", int(np.count_nonzero(~readable)))
        _count(notes, "boxes below 1 pixel", int(np.count_nonzero(readable & ~large)))
        box_offsets = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(np.bincount(image[keep], minlength=len(sizes)), out=box_offsets[1:])
        rows = np.flatnonzero(keep) if order is None else order[keep]
        return cls(
            classes=tuple(classes),
            sizes=sizes,
            box_offsets=box_offsets,
            boxes=boxes[keep],
            labels=np.asarray(labels)[keep].astype(np.int16),
            flags=np.asarray(flags)[keep].astype(np.uint8),
            names=names if isinstance(names, NameColumn) else NameColumn.pack(names),
            ids=None if ids is None else np.asarray(ids, np.int64),
            masks=None if masks is None else NameColumn.pack([masks[row] for row in rows.tolist()]),
            notes=notes,
            extra=dict(extra or {}),
        )

    @classmethod
    def open(cls, directory: str | Path, prefix: str = "", suffix: str = "") -> PackedAnnotations:
        """Open a saved table as memory maps.

        Args:
            directory: Folder of the saved table.
            prefix: Put before each image name.
            suffix: Put after each image name.

        Raises:
            ValueError: If the directory holds no complete table of this version.
        """
        directory = Path(directory)
        meta = read_meta(directory)
        try:
            names_of_columns = [*COLUMNS, *([IDS] if meta.get("ids") else []), *(MASKS if meta.get("masks") else [])]
            columns = {name: bounded_files.load_npy(directory / f"{name}.npy") for name in names_of_columns}
        except (OSError, ValueError) as error:
            raise ValueError(f"The packed annotations in {directory} are incomplete ({error}): delete them.") from error
        names = NameColumn(columns.pop("name_bytes"), columns.pop("name_offsets"))
        masks = NameColumn(*(columns.pop(name) for name in MASKS)) if meta.get("masks") else None
        return cls(
            classes=tuple(meta["classes"]),
            names=names,
            masks=masks,
            notes=meta["notes"],
            extra=meta.get("extra", {}),
            directory=directory,
            prefix=prefix,
            suffix=suffix,
            **columns,
        )

    def save(self, directory: Path, **meta: object) -> None:
        """Write the columns and ``meta.json`` (which also takes the keywords) into an existing, empty directory."""
        columns = {name: getattr(self, name) for name in COLUMNS[:5]}
        columns |= {"name_bytes": self.names.blob, "name_offsets": self.names.offsets}
        if self.ids is not None:
            columns[IDS] = self.ids
        if self.masks is not None:
            columns |= dict(zip(MASKS, (self.masks.blob, self.masks.offsets), strict=True))
        for name, column in columns.items():
            np.save(directory / f"{name}.npy", column)
        counts = {"images": len(self), "boxes": len(self.boxes)}
        header = {"format": FORMAT, "version": FORMAT_VERSION, "counts": counts, "notes": dict(self.notes)}
        header |= {"ids": self.ids is not None, "extra": dict(self.extra)}
        header |= {"masks": True} if self.masks is not None else {}
        header |= {"sums": checksums(directory, [f"{name}.npy" for name in columns])}
        write_meta(directory, header | {"classes": self.classes} | meta)

    def subset(self, rows: np.ndarray) -> PackedAnnotations:
        """The given images in the given order, as a table in memory."""
        rows = np.asarray(rows, np.int64)
        counts = self.box_offsets[rows + 1] - self.box_offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        take = np.repeat(self.box_offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        columns: dict[str, Any] = {name: getattr(self, name)[take] for name in ("boxes", "labels", "flags")}
        names = self.names.take(rows)
        columns["ids"] = None if self.ids is None else self.ids[rows]
        columns["masks"] = None if self.masks is None else self.masks.take(take)
        return replace(self, sizes=self.sizes[rows], box_offsets=offsets, names=names, directory=None, **columns)

    def with_paths(self, prefix: str, suffix: str = "") -> PackedAnnotations:
        """The same table with image paths ``prefix + name + suffix``."""
        return replace(self, prefix=prefix, suffix=suffix)

    def path(self, i: int) -> str:
        """Path of image ``i``."""
        return f"{self.prefix}{self.names[i]}{self.suffix}"

    def slice_of(self, i: int) -> slice:
        """Where the boxes of image ``i`` lie in the box columns."""
        return slice(int(self.box_offsets[i]), int(self.box_offsets[i + 1]))

    def boxes_of(self, i: int) -> np.ndarray:
        """(n, 4) float32 boxes of image ``i``."""
        return self.boxes[self.slice_of(i)]

    def mask_of(self, i: int, k: int) -> dict[str, Any] | None:
        """Run lengths of the mask of box ``k`` of image ``i``, ``size`` and ``counts`` as COCO has them, if known."""
        counts = "" if self.masks is None else self.masks[int(self.box_offsets[i]) + k]
        return {"size": self.sizes[i, ::-1].tolist(), "counts": counts} if counts else None

    @property
    def ignore(self) -> np.ndarray:
        """(M,) bool, the boxes that are never learned (crowd, group-of, difficult)."""
        return (self.flags & IGNORE).astype(bool)

    def unreadable(self) -> np.ndarray:
        """Indices of the images whose size is unknown."""
        return np.flatnonzero(self.sizes.min(axis=1, initial=1) <= 0)

    def __len__(self) -> int:
        return len(self.sizes)

    def __reduce__(self) -> tuple:
        if self.directory is not None:
            return PackedAnnotations.open, (self.directory, self.prefix, self.suffix)
        return _rebuild, (dict(self.__dict__),)


def read_meta(directory: Path) -> dict:
    """``meta.json`` of a table.

    Raises:
        ValueError: If the directory holds no table of this version.
    """
    try:
        meta = bounded_files.read_json(directory / "meta.json")
    except (OSError, ValueError) as error:
        raise ValueError(f"{directory} holds no packed annotations ({error}).") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{directory} holds no packed annotations: its meta.json has another format.")
    if meta.get("version") != FORMAT_VERSION:
        raise ValueError(f"{directory} holds packed annotations version {meta.get('version')}, not {FORMAT_VERSION}.")
    if meta.pop("checksum", None) != _checksum(meta):
        raise ValueError(f"{directory} holds damaged packed annotations: its meta.json has changed.")
    return meta


def write_meta(directory: Path, meta: Mapping[str, object]) -> None:
    """Write ``meta.json`` of a table, with its checksum."""
    write_json(directory / "meta.json", {**meta, "checksum": _checksum(meta)})


def _checksum(meta: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(meta, sort_keys=True).encode())


def _rebuild(state: dict) -> PackedAnnotations:
    return PackedAnnotations(**state)


def _count(notes: dict[str, int], what: str, number: int) -> None:
    if number:
        notes[what] = notes.get(what, 0) + number
