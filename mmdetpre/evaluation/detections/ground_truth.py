"""The annotated boxes of some images as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The annotated boxes of N images as columns, in ascending order of ``image``.

    Args:
        image: (g,) int32, index of the box's image.
        boxes: (g, 4) float32 x1, y1, x2, y2 in original pixels, in the convention of the ``Detections`` they belong to.
        labels: (g,) int32 class indices.
        ignore: (g,) bool: neither a target nor a false positive where detected (crowd, group-of, difficult).
        difficult, occluded, truncated: (g,) int8, 1 yes, 0 no, -1 (``UNKNOWN``) where the data does not say; ``None``
            stands for unknown everywhere.

    Raises:
        ValueError: If the columns do not fit each other or a box is not finite.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    ignore: np.ndarray
    difficult: np.ndarray | None = None
    occluded: np.ndarray | None = None
    truncated: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = check_boxes(self, "ground truth")
        set_field(self, "ignore", as_column(self.ignore, np.bool_, count, "ground truth", "ignore"))
        for name in ("difficult", "occluded", "truncated"):
            flags = getattr(self, name)
            flags = np.full(count, UNKNOWN) if flags is None else flags
            flags = as_column(flags, np.int8, count, "ground truth", name)
            if not np.isin(flags, (UNKNOWN, 0, 1)).all():
                raise ValueError(
                    f"The column '{name}' of the ground truth holds other values than 1, 0 and -1 (unknown)."
                )
            set_field(self, name, flags)

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def not_counted(self) -> np.ndarray:
        """(g,) bool, the boxes that need not be found: all that are ignored or difficult."""
        return self.ignore | (self.difficult == 1)

    @property
    def regions(self) -> np.ndarray:
        """(g,) bool, the crowd and group-of boxes: ignored, and not known to be difficult.

        Such a box surrounds several objects of its class instead of one, so that a detection lies in it rather than on
        it.
        """
        return self.ignore & (self.difficult != 1)


def set_field(owner: object, name: str, value: object) -> None:
    """Set a field of a frozen dataclass that is being made.

    Args:
        owner: The instance.
        name: Name of the field.
        value: Its value.
    """
    object.__setattr__(owner, name, value)  # the dataclass is frozen for everybody else


def as_column(values: np.ndarray, dtype: type, count: int, what: str, name: str) -> np.ndarray:
    """A column as an array of one type.

    Args:
        values: (count,) values.
        dtype: Type of the result.
        count: Number of boxes.
        what: What the boxes are, for the message.
        name: Name of the column.

    Returns:
        (count,) values of that type.

    Raises:
        ValueError: If the number of values is another.
    """
    values = np.asarray(values, dtype)
    if values.shape != (count,):
        raise ValueError(f"The column '{name}' of the {what} has shape {values.shape}: {count} boxes need ({count},).")
    return values


def check_boxes(owner: Any, what: str) -> int:
    """Bring image, boxes and labels into their types and check that they fit; returns the number of boxes.

    Raises:
        ValueError: If they do not fit, or a box is invalid.
    """
    boxes = np.asarray(owner.boxes, np.float32)
    if not boxes.size:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f"The boxes of the {what} have shape {boxes.shape}: expected (n, 4), x1, y1, x2, y2 of every box."
        )
    if not np.isfinite(boxes).all():
        row = int(np.flatnonzero(~np.isfinite(boxes).all(axis=1))[0])
        raise ValueError(f"Box {row} of the {what} is {boxes[row].tolist()}: coordinates must be finite pixels.")
    set_field(owner, "boxes", boxes)
    for name in ("image", "labels"):
        set_field(owner, name, as_column(getattr(owner, name), np.int32, len(boxes), what, name))
    if (owner.image[1:] < owner.image[:-1]).any():
        raise ValueError(f"The column 'image' of the {what} falls: sort the boxes by image.")
    return len(boxes)
