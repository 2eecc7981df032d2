"""Reads MXNet's ``.params`` files, which hold named dense arrays, without MXNet.

The layout is little-endian and public (``NDArray::Save`` of MXNet): a list head (0x112, reserved: two uint64), the
number of arrays (uint64), the arrays, the number of names (uint64), the names (length as uint64, bytes). An array has a
magic number that tells its version, in version 2 and 3 its storage, its shape (number of dimensions as uint32, then
int64 each), its device (two int32), its type (int32), and its values. The first files had no magic number but began
with the number of dimensions, and sizes were uint32.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

LIST_MAGIC = 0x112
LIST_START = LIST_MAGIC.to_bytes(8, "little")
V1_MAGIC, V2_MAGIC, V3_MAGIC = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
MOST_DIMENSIONS = 32
TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8"}
STORAGES = {1: "row-sparse", 2: "compressed sparse rows"}


class MXNetParamsError(ValueError):
    """A file that is not a readable list of named dense arrays."""


class _Cursor:
    """Walks through the bytes of a file, and never beyond its end."""

    def __init__(self, content: np.ndarray) -> None:
        self.content, self.at, self.what = content, 0, "the list's head"

    def array(self, kind: str, count: int) -> np.ndarray:
        size = count * np.dtype(kind).itemsize
        left = len(self.content) - self.at
        if size > left:
            raise MXNetParamsError(
                f"it is cut off or damaged: at byte {self.at}, {self.what} needs {size} bytes and {left} are left."
                " Copy or download it again"
            )
        self.at += size
        return self.content[self.at - size : self.at].view(kind)

    def number(self, kind: str) -> int:
        return int(self.array(kind, 1)[0])


def read_mxnet_params(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Named arrays of a ``.params`` file, as MXNet's ``nd.save`` and ``save_checkpoint`` write it.

    Every size is compared with the length of the file before memory is taken. Values are read from the file when
    they are used.

    Args:
        path: Local path.

    Returns:
        Arrays by name; ``save_checkpoint`` puts ``arg:`` before weights and ``aux:`` before statistics.

    Raises:
        OSError: If the file cannot be read.
        MXNetParamsError: If it is another kind of file, is cut off, or holds sparse, empty or unnamed arrays.

    Example:
        >>> read_mxnet_params("SNIPER-0007.params")["arg:conv0_weight"].shape  # doctest: +SKIP
        (64, 3, 7, 7)
    """
    size = Path(path).stat().st_size
    content: np.ndarray = np.memmap(path, mode="r") if size else np.zeros(0, np.uint8)
    start = content[:8].tobytes()
    if start != LIST_START:
        raise MXNetParamsError(f"it is not an MXNet .params file: it begins with {start!r}, not with {LIST_START!r}")
    cursor = _Cursor(content.view(np.ndarray))
    cursor.array("<u8", 2)
    arrays = []
    for index in range(_count(cursor, "arrays", smallest=4)):
        cursor.what = f"array {index}"
        arrays.append(_array(cursor))
    names = []
    for index in range(_count(cursor, "names", smallest=8)):
        cursor.what = f"name {index}"
        raw = cursor.array("u1", cursor.number("<u8")).tobytes()
        try:
            names.append(raw.decode())
        except UnicodeDecodeError:
            raise MXNetParamsError(f"it is damaged: {cursor.what} is not text but {raw[:20]!r}") from None
    if cursor.at != size:
        raise MXNetParamsError(f"it is damaged: {size - cursor.at} bytes follow the last name")
    if len(names) != len(arrays):
        raise MXNetParamsError(
            f"it has {len(arrays)} arrays but {len(names)} names: save a dictionary, mx.nd.save(path, dict)"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise MXNetParamsError(f"it holds {twice!r} more than once")
    return dict(zip(names, arrays, strict=True))


def _count(cursor: _Cursor, what: str, smallest: int) -> int:
    cursor.what = f"the number of {what}"
    count = cursor.number("<u8")
    left = len(cursor.content) - cursor.at
    if count * smallest > left:
        raise MXNetParamsError(
            f"it is cut off or damaged: it announces {count} {what}, and {left} bytes are left. Copy or download it"
            " again"
        )
    return count


def _array(cursor: _Cursor) -> np.ndarray:
    magic = cursor.number("<u4")
    if magic in (V2_MAGIC, V3_MAGIC):
        storage = cursor.number("<i4")
        if storage != 0:
            kind = STORAGES.get(storage, f"kind {storage}")
            raise MXNetParamsError(
                f"{cursor.what} has sparse storage ({kind}); only dense arrays are read: save array.tostype('default')"
            )
        dimensions, kind = cursor.number("<u4"), "<i8"
    elif magic == V1_MAGIC:
        dimensions, kind = cursor.number("<u4"), "<i8"
    else:
        dimensions, kind = magic, "<u4"
    if dimensions > MOST_DIMENSIONS:
        raise MXNetParamsError(
            f"it is damaged: at byte {cursor.at - 4}, {cursor.what} begins with 0x{magic:08x} and has {dimensions}"
            f" dimensions; known are 0x{V1_MAGIC:08x} to 0x{V3_MAGIC:08x}, or up to {MOST_DIMENSIONS} dimensions"
        )
    if dimensions == 0 and magic != V3_MAGIC:
        raise MXNetParamsError(f"{cursor.what} is empty: it was saved before it was initialized")
    shape: tuple[Any, ...] = tuple(int(side) for side in cursor.array(kind, dimensions))
    if any(side < 0 for side in shape):
        raise MXNetParamsError(f"it is damaged: {cursor.what} has the shape {shape}")
    cursor.array("<i4", 2)  # the device that held the array
    flag = cursor.number("<i4")
    if flag not in TYPES:
        raise MXNetParamsError(
            f"{cursor.what} has values of type {flag}; known are the types {', '.join(map(str, TYPES))}"
        )
    values = cursor.array(TYPES[flag], math.prod(shape))
    try:
        return values.reshape(shape)
    except ValueError:  # no values, and yet a shape beyond what can be addressed: (0, 2**62, 2**62)
        raise MXNetParamsError(f"it is damaged: {cursor.what} has the shape {shape}") from None
