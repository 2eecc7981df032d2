"""What mmengine reads files by where a config names ``backend="mmdetpre.TarShards"``."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.storage.addresses import RemoteFiles, is_remote
from mmdetpre.storage.backend import ReadingBackend
from mmdetpre.storage.retry import StorageError
from mmdetpre.storage.shards.index import INDEX, Place, ShardIndex
from mmdetpre.storage.shards.remote_index import open_remote_index
from mmdetpre.utils.bounded_files import MIB
from mmdetpre.utils.cache_folder import cache_folder

TAR_SHARDS = "mmdetpre.TarShards"
_MOST_OPEN = 64


class TarShardsBackend(ReadingBackend):
    """Files in the shards that ``mmdetpre pack`` wrote, in any order, on this machine or at an address.

    ``backend_args=dict(backend="mmdetpre.TarShards", shards="https://host/openimages_train", root=FOLDER)`` of a data
    set or a transform. A file is read in one step from its place in an archive, over http and S3 by a request for a
    range; nothing is ever unpacked to a path. Its checksum is that of the index, or nothing is given back.

    Args:
        shards: Folder or address of the shards.
        root: What the paths of the data set begin with, before the names in the index; by default ``shards``, for data
            sets whose ``data_prefix`` is that folder or address.
        cache_gb: Bound of the files of far shards that are kept on this machine; 0: none.
        cache_dir: Folder for them and for the index; by default in `mmdetpre.utils.cache_folder`.
        retries: How often a file is asked for again.
        timeout: Seconds without an answer after which a connection counts as lost.
        first_wait: Seconds before the first retry; each wait is twice the last.
        most_mb: Largest file, in units of 2**20 bytes.
    """

    def __init__(
        self,
        shards: str,
        root: str | None = None,
        cache_gb: float = 0,
        cache_dir: str | None = None,
        retries: int = 8,
        timeout: float = 30.0,
        first_wait: float = 0.5,
        most_mb: float = 512,
    ) -> None:
        self.shards = os.fspath(shards).rstrip("/")
        self.far = is_remote(self.shards)
        super().__init__(cache_gb if self.far else 0, cache_dir)
        self.root = f"{(self.shards if root is None else os.fspath(root)).rstrip('/')}/"
        self.most_mb = most_mb
        self.files = RemoteFiles(retries, timeout, first_wait)
        self._indices = Path(cache_dir or cache_folder()) / "shards"
        self._index: ShardIndex | None = None
        self._lock = threading.Lock()
        self._open: dict[str, Any] = {}

    @property
    def index(self) -> ShardIndex:
        """Where the files lie; opened when it is first needed.

        Raises:
            StorageError: If there are no shards, or not all of them: no fault of one file.
            ValueError: If the index is damaged.
        """
        with self._lock:
            if self._index is None:
                try:
                    if self.far:
                        self._index = open_remote_index(self.shards, self.files, self._indices)
                    else:
                        self._index = self._local_index()
                except FileNotFoundError as error:
                    raise StorageError(
                        f"There are no shards in {self.shards} ({error}): `mmdetpre pack` writes them."
                    ) from error
            return self._index

    def get(self, filepath: str | os.PathLike[str]) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: If it is not in the shards.
            StorageError: If the store does not answer, or a shard is not the one that the index is of.
            ValueError: If the path does not begin with ``root``, or the index is damaged.
        """
        path = os.fspath(filepath)
        place = self.index.find(self._name(path))
        if place is None:
            raise FileNotFoundError(f"{path} is not in the shards {self.shards}.")
        if place.size > self.most_mb * MIB:
            raise StorageError(f"{path} has more than {self.most_mb:,g} MiB: set most_mb of backend_args.")
        if not place.size:
            return b""
        if self.far:
            key = f"{self.shards}/{place.shard}|{place.offset}|{place.size}|{place.crc32}"
            return self._kept(key, lambda: self._fetch(path, place))
        try:
            file = self._file(place.shard)  # a name of its own: it must not be closed while it is read
            content = os.pread(file.fileno(), place.size, place.offset)
        except OSError as error:
            raise StorageError(f"{path}: {self.shards}/{place.shard} cannot be read ({error}).") from error
        return self._whole(path, place, content)

    def exists(self, filepath: str | os.PathLike[str]) -> bool:
        """Whether a file is in the shards."""
        return self.index.find(self._name(os.fspath(filepath))) is not None

    isfile = exists

    def image_sizes(self, paths: Sequence[str]) -> np.ndarray:
        """(N, 2) int32 width and height of images as OpenCV decodes them, (0, 0) of those that are missing or broken.

        They were read while packing, so no image is read.
        """
        places = [self.index.find(self._name(path)) for path in paths]
        unknown = np.zeros(2, np.int32)
        found = [unknown if place is None else self.index.image_sizes[place.row] for place in places]
        return np.array(found, np.int32).reshape(-1, 2)

    def _name(self, path: str) -> str:
        if not path.startswith(self.root):
            raise ValueError(
                f"{path} does not begin with {self.root}: set root of backend_args to the folder of the images as the"
                " data set names it (its data_root and data_prefix)."
            )
        return path[len(self.root) :].lstrip("/")

    def _fetch(self, path: str, place: Place) -> bytes:
        address = f"{self.shards}/{place.shard}"
        try:
            content = self.files.read(address, start=place.offset, size=place.size)
        except FileNotFoundError as error:
            raise StorageError(f"{path}: {error} The shards were not all copied.") from error
        return self._whole(path, place, content)

    def _whole(self, path: str, place: Place, content: bytes) -> bytes:
        if len(content) != place.size or zlib.crc32(content) != place.crc32:
            raise StorageError(
                f"{path}: {self.shards}/{place.shard} does not hold it where the index says: the shard is damaged, or"
                " of another set than the index. Copy shards and index again; `sha256sum -c SHA256SUMS` names the bad."
            )
        return content

    def _local_index(self) -> ShardIndex:
        if not Path(self.shards, INDEX).is_dir():
            raise FileNotFoundError(f"no folder {INDEX}")
        index = ShardIndex.open(Path(self.shards, INDEX))
        for name, length in zip(index.shards, index.shard_bytes.tolist(), strict=True):
            path = Path(self.shards, name)
            if not path.is_file() or path.stat().st_size != length:
                found = f"has {path.stat().st_size} bytes, not {length}" if path.is_file() else "is missing"
                raise StorageError(f"{path} {found}: the shards were not all copied, or not whole.")
        return index

    def _file(self, shard: str) -> Any:
        """An open archive. It is read at places (pread), so that threads and forked processes can share it."""
        with self._lock:
            file = self._open.pop(shard, None)
            if file is None:
                file = open(Path(self.shards, shard), "rb", buffering=0)  # noqa: SIM115  stays open
                while len(self._open) >= _MOST_OPEN:
                    self._open.pop(next(iter(self._open)))  # it is closed when no thread reads it any more
            self._open[shard] = file
            return file
