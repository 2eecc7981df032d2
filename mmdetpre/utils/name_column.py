"""Many strings in two arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np


class NameColumn(Sequence[str]):
    """Strings in two arrays, so that a million of them cost two allocations and no pickling.

    Args:
        blob: (B,) uint8, the names in UTF-8, one after the other.
        offsets: (N + 1,) int64, name ``i`` is ``blob[offsets[i]:offsets[i + 1]]``.
    """

    def __init__(self, blob: np.ndarray, offsets: np.ndarray) -> None:
        self.blob, self.offsets = blob, offsets

    @classmethod
    def pack(cls, names: Sequence[str]) -> NameColumn:
        """A column of these names."""
        encoded = [name.encode() for name in names]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def take(self, rows: np.ndarray) -> NameColumn:
        """A column of the names of these rows (n,), int64."""
        return self.pack([self[int(i)] for i in rows])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i: int | slice) -> str | list[str]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        return self.blob[self.offsets[i] : self.offsets[i + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))
