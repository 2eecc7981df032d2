"""The chips of a data set as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np


@dataclass(eq=False)
class ChipTable:
    """n chips, sorted by image; within an image finest scale first, within a scale in greedy order.

    Of an epoch with negative chips first all positive ones, then all negative ones, each sorted so.

    Args:
        image: (n,) int32 index of the image.
        scale: (n,) int16 index of the scale.
        origin: (n, 2) int32 x, y of the top-left corner in the *scaled* image.
        size: (n, 2) int32 width and height in pixels: ``chip_size``, or the side of the scaled image where shorter.
        valid_offsets: (n + 1,) int64; chip ``i`` owns ``valid[valid_offsets[i]:valid_offsets[i + 1]]``.
        valid: (k,) int32 indices, within their image, of the boxes learned in the chip, ascending per chip.
        negative: (n,) bool, chips mined for false proposals; all ``False`` if not given.
    """

    image: np.ndarray
    scale: np.ndarray
    origin: np.ndarray
    size: np.ndarray
    valid_offsets: np.ndarray
    valid: np.ndarray
    negative: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        if len(self.negative) != len(self.image):
            self.negative = np.zeros(len(self.image), dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.image)

    def valid_of(self, chip: int) -> np.ndarray:
        """Indices, within their image, of the boxes learned in one chip (int32 view)."""
        return self.valid[self.valid_offsets[chip] : self.valid_offsets[chip + 1]]

    @classmethod
    def concatenate(cls, tables: Sequence[ChipTable]) -> ChipTable:
        """One table with the chips of all ``tables``, in their order."""
        columns = {column.name: [getattr(table, column.name) for table in tables] for column in fields(cls)}
        counts = np.concatenate([np.diff(offsets) for offsets in columns.pop("valid_offsets")])
        offsets = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=offsets[1:])
        return cls(valid_offsets=offsets, **{name: np.concatenate(parts) for name, parts in columns.items()})
