"""Rows of a feature file that one process computes, in files of its own; the file is what all of them are joined to.

No two processes write to one file, so it does not matter how the hosts of a shared folder cache it::

    NAME/shards/1-of-4/rows.npy     (k,) int64 rows of the features that this process is to compute
    NAME/shards/1-of-4/done.npy     (k,) uint8 which of them it has computed
    NAME/shards/1-of-4/<layer>.npy  (k, *shape of one image) float32
    NAME/shards/1-of-4/shard.json   whose features these are and checksums of the other files; written last: others
                                    read nothing of a shard without it
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import checksum
from mmdetpre.utils.whole_file import write_json

FOLDER = "shards"
JOINED = ".joined."
"""Beginning of the names of folders that shards are joined in."""
_FORMAT = "mmdetpre features shard/1"
_NAME = re.compile(r"(\d+)-of-(\d+)")
_SEAL, _ROWS, _DONE, _LOCK = "shard.json", "rows.npy", "done.npy", "lock"
_BLOCK = 1024  # rows that are copied at a time


@dataclass(frozen=True, eq=False)
class Shard:
    """Computed rows of features.

    Attributes:
        folder: Folder of its columns.
        rows: (k,) int64 rows of the features.
        places: (k,) int64 where each of them lies in the columns.
    """

    folder: Path
    rows: np.ndarray
    places: np.ndarray

    def column(self, layer: str) -> np.ndarray:
        """Values of a layer, memory-mapped."""
        return bounded_files.load_npy(self.folder / f"{layer}.npy")


class ShardWriter:
    """Writes the rows of one process; goes on with a shard that it was stopped in.

    Args:
        features: Folder of the features.
        part: This process's number and how many share the work.
        layers: Name of each layer and the shape of one image's value.
        rows: (k,) its rows, at least one.

    Raises:
        FileExistsError: If one of its files is a link.
        ValueError: If another process writes this shard, or it is damaged or was begun with other rows.
    """

    def __init__(
        self, features: Path, part: tuple[int, int], layers: Mapping[str, Sequence[int]], rows: np.ndarray
    ) -> None:
        self.folder, self.rows = features / FOLDER / shard_name(part), np.asarray(rows, np.int64)
        self._layers = tuple(layers)
        if not os.path.lexists(self.folder):
            self._begin(layers)
        self._lock = _locked(self.folder, part)
        begun = bounded_files.load_npy(_no_link(self.folder / _ROWS))
        if not np.array_equal(begun, self.rows):
            raise ValueError(
                f"{self.folder} was begun with other batches ({len(begun)} images, now {len(rows)}): remove it."
            )
        self.done: np.ndarray = own_column(self.folder / _DONE, (len(rows),))
        self._columns = {name: own_column(self.folder / f"{name}.npy", (len(rows), *s)) for name, s in layers.items()}

    def write(self, places: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Write all layers (n, *shape) of the images at some places (n,) among its rows."""
        for name, column in self._columns.items():
            column[places] = values[name]
            column.flush()
        self.done[places] = 1

    def shard(self) -> Shard:
        """What it has computed so far, for this process."""
        places = np.flatnonzero(self.done)
        return Shard(self.folder, self.rows[places], places)

    def seal(self, digest: str) -> None:
        """Close the files and declare the shard complete.

        Args:
            digest: Of the plan of the features.
        """
        for column in (self.done, *self._columns.values()):
            column.flush()  # type: ignore[attr-defined]
        self._columns = {}
        names = [_ROWS, _DONE, *(f"{name}.npy" for name in self._layers)]
        sums = {name: checksum(self.folder / name) for name in names}
        write_json(self.folder / _SEAL, {"format": _FORMAT, "digest": digest, "sums": sums})
        os.close(self._lock)

    def _begin(self, layers: Mapping[str, Sequence[int]]) -> None:
        self.folder.parent.mkdir(exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}.", dir=self.folder.parent))
        part.chmod(0o755)
        np.save(part / _ROWS, self.rows)
        open_memmap(part / _DONE, "w+", np.uint8, self.rows.shape)
        for name, shape in layers.items():
            open_memmap(part / f"{name}.npy", "w+", np.float32, (len(self.rows), *shape))
        try:
            part.rename(self.folder)
        except OSError:  # another process was faster
            shutil.rmtree(part, ignore_errors=True)
            if not self.folder.is_dir():
                raise


def shard_name(part: tuple[int, int]) -> str:
    """Name of the folder of a shard.

    Example:
        >>> shard_name((1, 4))
        '1-of-4'
    """
    return f"{part[0]}-of-{part[1]}"


def complete_shards(features: Path, digest: str, count: int) -> list[Shard]:
    """The shards that are complete.

    Args:
        features: Folder of the features.
        digest: Of the plan of the features.
        count: Number of the features' images.

    Raises:
        ValueError: If one is damaged, or of other features.
    """
    found = []
    for folder in _folders(features):
        if not os.path.lexists(folder / _SEAL):
            continue
        seal = _seal(folder)
        if seal["digest"] != digest:
            raise ValueError(f"{folder} is of other features: another model, data or settings. {_again(folder)}")
        try:
            _require_sums(folder, {name: seal["sums"][name] for name in (_ROWS, _DONE)})
            shard = _computed(folder)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{folder} is damaged ({error}). {_again(folder)}") from error
        if len(shard.rows) and not 0 <= shard.rows.min() <= shard.rows.max() < count:
            raise ValueError(f"{folder} is damaged (it has an image {shard.rows.max()} of {count}). {_again(folder)}")
        found.append(shard)
    return found


def computed_rows(features: Path) -> np.ndarray:
    """Rows that any shard has computed, complete or not, as far as this host knows."""
    rows = [np.zeros(0, np.int64)]
    for folder in _folders(features):
        with suppress(OSError, ValueError):
            rows.append(_computed(folder).rows)
    return np.unique(np.concatenate(rows))


def require_whole(shards: Sequence[Shard]) -> None:
    """Read complete shards and compare them with their checksums.

    Raises:
        ValueError: Names the first file that is damaged.
    """
    for shard in shards:
        try:
            _require_sums(shard.folder, _seal(shard.folder)["sums"])
        except ValueError as error:
            raise ValueError(f"{shard.folder} is damaged ({error}). {_again(shard.folder)}") from error


def join(features: Path, shards: Sequence[Shard], layers: Mapping[str, Sequence[int]], count: int) -> None:
    """Make the columns of the features of shards that have all rows; several processes may do so at once.

    Args:
        features: Folder of the features.
        shards: The shards; of a row that several have the first counts.
        layers: Name of each layer and the shape of one image's value.
        count: Number of rows.
    """
    part = Path(tempfile.mkdtemp(prefix=JOINED, dir=features))
    for name, shape in layers.items():
        if len(shards) == 1 and np.array_equal(shards[0].places, np.arange(count)):
            _same_file(shards[0].folder / f"{name}.npy", part / f"{name}.npy")
        else:
            column = open_memmap(part / f"{name}.npy", "w+", np.float32, (count, *shape))
            _fill(column, shards, name)
            column.flush()
            del column
        (part / f"{name}.npy").replace(features / f"{name}.npy")
    part.rmdir()


def remove_shards(features: Path) -> None:
    """Remove what was joined, and what stopped joins left."""
    for folder in (features / FOLDER, *features.glob(f"{JOINED}*")):
        shutil.rmtree(folder, ignore_errors=True)


def foreign_files(features: Path, layers: Sequence[str]) -> list[str]:
    """What lies among the shards that was not written here."""
    own = {_SEAL, _ROWS, _DONE, _LOCK, *(f"{name}.npy" for name in layers)}
    root = features / FOLDER
    if root.is_symlink():
        return [FOLDER]
    files = [path.relative_to(root) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()]
    return [
        f"{FOLDER}/{path}"
        for path in files
        if len(path.parts) != 2 or path.name not in own or not _NAME.search(path.parts[0])
    ]


def own_column(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A column to write to; not what a link leads to, nor another array.

    Raises:
        FileExistsError: If it is a link.
        ValueError: If it is damaged.
    """
    try:
        column: np.memmap = open_memmap(_no_link(path), "r+")
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): remove {path.parent}, or start from scratch.") from error
    if column.shape != tuple(shape):
        raise ValueError(f"{path} has shape {column.shape}, expected {tuple(shape)}: remove {path.parent}.")
    return column


def _no_link(path: Path) -> Path:
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        raise FileExistsError(f"{path} is a link, which is not written through: remove it, or start from scratch.")
    return path


def _folders(features: Path) -> list[Path]:
    root = features / FOLDER
    found = [path for path in root.iterdir() if _NAME.fullmatch(path.name)] if root.is_dir() else []
    return sorted(found, key=lambda path: [int(number) for number in path.name.split("-of-")][::-1])


def _computed(folder: Path) -> Shard:
    rows, done = (np.array(bounded_files.load_npy(folder / name)) for name in (_ROWS, _DONE))
    if rows.ndim != 1 or rows.shape != done.shape or rows.dtype != np.int64:
        raise ValueError(f"it has {done.shape} of {rows.shape} images")
    places = np.flatnonzero(done)
    return Shard(folder, rows[places], places)


def _seal(folder: Path) -> dict:
    try:
        seal = bounded_files.read_json(folder / _SEAL)
        if seal["format"] != _FORMAT or not isinstance(seal["digest"], str) or not isinstance(seal["sums"], dict):
            raise ValueError("another format")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{folder} is damaged ({_SEAL}: {error}). {_again(folder)}") from error
    return dict(seal)


def _require_sums(folder: Path, sums: Mapping[str, int]) -> None:
    for name, expected in sums.items():
        path = folder / name
        if path.parent != folder or not path.is_file() or checksum(path) != expected:
            raise ValueError(f"{name} has changed")


def _again(folder: Path) -> str:
    return f"Remove {folder}, then run it again: --shard {folder.name.replace('-of-', '/')}"


def _fill(column: np.ndarray, shards: Sequence[Shard], layer: str) -> None:
    taken = np.zeros(len(column), bool)
    for shard in shards:
        new = ~taken[shard.rows]
        rows, places, values = shard.rows[new], shard.places[new], shard.column(layer)
        for start in range(0, len(rows), _BLOCK):
            column[rows[start : start + _BLOCK]] = values[places[start : start + _BLOCK]]
        taken[rows] = True


def _same_file(old: Path, new: Path) -> None:
    try:
        new.hardlink_to(old)
    except OSError:  # a file system without
        shutil.copyfile(old, new)


def _locked(folder: Path, part: tuple[int, int]) -> int:
    """Hold the lock of a shard for this process."""
    descriptor = os.open(_no_link(folder / _LOCK), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            os.close(descriptor)
            raise ValueError(
                f"Another process writes {folder}: give each its own part, as --shard 0/2 and --shard 1/2, not"
                f" {part[0]}/{part[1]} to two."
            ) from error
        # A file system without locks: the parts are the user's to tell apart.
    return descriptor
