"""Where each file of a set lies in its tar shards: memory-mapped columns, sorted by a hash of the name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import checksums, damaged_files
from mmdetpre.utils.name_column import NameColumn
from mmdetpre.utils.whole_file import write_json

FORMAT, VERSION = "mmdetpre tar shards", 1
INDEX, META = "index", "meta.json"
"""Folder beside the shards, and the file in it that tells what they are."""
COLUMNS = ("hashes", "name_bytes", "name_offsets", "shard", "offset", "size", "crc32", "image_sizes")
_KINDS = dict(zip(COLUMNS, ("u8", "u1", "i8", "i4", "i8", "i8", "u4", "i4"), strict=True))
_SHARD_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.tar")
_BLOCK = 512
"""A tar header; what it is of begins behind it."""


class Place(NamedTuple):
    """Where a file lies.

    Args:
        row: Its row in the index.
        shard: Name of the archive.
        offset: First byte.
        size: Bytes.
        crc32: Checksum of the bytes.
    """

    row: int
    shard: str
    offset: int
    size: int
    crc32: int


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """The files of a set of shards. 1.7 million take 110 MB on disk, which all processes of a machine share.

    Args:
        shards: Name of each of the S archives.
        shard_bytes: (S,) int64 length of each.
        hashes: (N,) uint64 in rising order, see `name_hash`.
        names: N names, relative to the folder that was packed, with ``/`` between folders.
        shard: (N,) int32 archive of each file.
        offset, size: (N,) int64 where its bytes begin, and how many they are.
        crc32: (N,) uint32 of its bytes.
        image_sizes: (N, 2) int32 width and height in pixels as OpenCV decodes it; (0, 0): not known.
    """

    shards: tuple[str, ...]
    shard_bytes: np.ndarray
    hashes: np.ndarray
    names: NameColumn
    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray
    crc32: np.ndarray
    image_sizes: np.ndarray

    @classmethod
    def build(
        cls,
        shards: Sequence[tuple[str, int]],
        names: Sequence[str],
        shard: np.ndarray,
        offset: np.ndarray,
        size: np.ndarray,
        crc32: np.ndarray,
        image_sizes: np.ndarray,
    ) -> ShardIndex:
        """The index of files in any order.

        Args:
            shards: Name and length of each archive.
            names: N different names.
            shard, offset, size, crc32, image_sizes: Columns of N rows, as of the class.
        """
        hashes = np.fromiter((name_hash(name) for name in names), np.uint64, len(names))
        order = np.argsort(hashes, kind="stable")
        return cls(
            shards=tuple(name for name, _ in shards),
            shard_bytes=np.array([length for _, length in shards], np.int64),
            hashes=hashes[order],
            names=NameColumn.pack([names[int(i)] for i in order]),
            shard=np.asarray(shard, np.int32)[order],
            offset=np.asarray(offset, np.int64)[order],
            size=np.asarray(size, np.int64)[order],
            crc32=np.asarray(crc32, np.uint32)[order],
            image_sizes=np.asarray(image_sizes, np.int32).reshape(-1, 2)[order],
        )

    @classmethod
    def open(cls, folder: str | Path) -> ShardIndex:
        """Open an index as memory maps, and check that all it says is within the shards.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, cut off, or another kind of folder.
        """
        folder = Path(folder)
        meta = read_meta(folder / META)
        try:
            if bad := damaged_files(folder, meta["sums"]):
                raise ValueError(f"{', '.join(bad)} missing or changed")
            columns = {name: bounded_files.load_npy(folder / f"{name}.npy") for name in COLUMNS}
            names = NameColumn(columns.pop("name_bytes"), columns.pop("name_offsets"))
            shards = meta["shards"]
            index = cls(
                shards=tuple(shard["file"] for shard in shards),
                shard_bytes=np.array([shard["bytes"] for shard in shards], np.int64),
                names=names,
                **columns,
            )
            index._check()
        except (OSError, ValueError, OverflowError) as error:
            raise ValueError(
                f"The index of shards in {folder} is damaged ({error}): copy it again from where it was packed, or pack"
                " again."
            ) from error
        return index

    def save(self, folder: Path) -> None:
        """Write the columns and ``meta.json`` into an existing, empty folder."""
        columns = {name: getattr(self, name) for name in COLUMNS if not name.startswith("name_")}
        columns |= {"name_bytes": self.names.blob, "name_offsets": self.names.offsets}
        for name, column in columns.items():
            np.save(folder / f"{name}.npy", column)
        shards = zip(self.shards, self.shard_bytes.tolist(), strict=True)
        header = {"format": FORMAT, "version": VERSION, "files": len(self)}
        header |= {"shards": [{"file": name, "bytes": length} for name, length in shards]}
        write_json(folder / META, header | {"sums": checksums(folder, [f"{name}.npy" for name in COLUMNS])})

    def find(self, name: str) -> Place | None:
        """Where a file lies, or ``None`` if it is not in the set."""
        key = np.uint64(name_hash(name))
        row = int(np.searchsorted(self.hashes, key))
        while row < len(self) and self.hashes[row] == key:
            if self.names[row] == name:
                shard = self.shards[int(self.shard[row])]
                return Place(row, shard, int(self.offset[row]), int(self.size[row]), int(self.crc32[row]))
            row += 1
        return None

    def __len__(self) -> int:
        return len(self.hashes)

    def _check(self) -> None:
        """Refuse what would lead out of a shard, or to no name.

        Raises:
            ValueError: With the reason.
        """
        count, blob, starts = len(self.hashes), self.names.blob, self.names.offsets
        columns = {"name_bytes": blob, "name_offsets": starts, "image_sizes": self.image_sizes}
        columns |= {name: getattr(self, name) for name in COLUMNS if name not in columns}
        for name, column in columns.items():
            rows = {"name_bytes": len(blob), "name_offsets": count + 1}.get(name, count)
            shape = (count, 2) if name == "image_sizes" else (rows,)
            if column.dtype != np.dtype(_KINDS[name]) or column.shape != shape:
                raise ValueError(f"{name} is {column.dtype} of shape {column.shape}, not {_KINDS[name]} of {shape}")
        if starts[0] != 0 or starts[-1] != len(blob) or (np.diff(starts) < 0).any():
            raise ValueError("names overlap or are cut off")
        if (self.hashes[1:] < self.hashes[:-1]).any():
            raise ValueError("its rows are not in order")
        if not count:
            return
        if self.shard.min() < 0 or self.shard.max() >= len(self.shards):
            raise ValueError("a file is in a shard that is not there")
        lengths = self.shard_bytes[self.shard]
        if self.size.min() < 0 or self.offset.min() < _BLOCK or (self.size > lengths - self.offset).any():
            raise ValueError("a file does not lie within its shard")


def name_hash(name: str) -> int:
    """64 bits of BLAKE2b of a name.

    Example:
        >>> f"{name_hash('a.jpg'):x}"
        '89a7126e02f047fe'
    """
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def read_meta(path: Path) -> dict[str, Any]:
    """What the shards are: their names, lengths, and the checksums of the columns.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no such file, or of a later version.
    """
    meta = bounded_files.read_json(path)
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{path} is not the index of shards that `mmdetpre pack` writes.")
    if meta.get("version") != VERSION:
        raise ValueError(f"{path} is of version {meta.get('version')}, this package reads {VERSION}: update it.")
    shards, sums = meta.get("shards"), meta.get("sums")
    good = isinstance(shards, list) and all(
        isinstance(shard, dict)
        and isinstance(shard.get("file"), str)
        and _SHARD_NAME.fullmatch(shard["file"])
        and type(shard.get("bytes")) is int
        and 0 <= shard["bytes"] < 1 << 62
        for shard in shards
    )
    if not good or not isinstance(sums, dict) or set(sums) != {f"{name}.npy" for name in COLUMNS}:
        raise ValueError(f"{path} is damaged: its list of shards or of checksums is not one.")
    return meta
