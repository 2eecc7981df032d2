"""What mmengine reads files by where a config names ``backend="mmdetpre.Remote"``."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio.backends import BaseStorageBackend
from mmengine.logging import print_log

from mmdetpre.storage.addresses import RemoteFiles, is_remote
from mmdetpre.storage.file_cache import FileCache
from mmdetpre.utils.bounded_files import GIB, MIB, read_bounded
from mmdetpre.utils.cache_folder import cache_folder

REMOTE = "mmdetpre.Remote"


class ReadingBackend(BaseStorageBackend):
    """What backends that read share: texts, local copies, a cache.

    Args:
        cache_gb: Bound of the files that are kept on this machine; 0: none.
        cache_dir: Folder for them; by default ``files`` in `mmdetpre.utils.cache_folder`.
    """

    def __init__(self, cache_gb: float = 0, cache_dir: str | None = None) -> None:
        self._cache = FileCache(cache_dir or cache_folder() / "files", cache_gb) if cache_gb else None
        self._told = False

    def get(self, filepath: str | os.PathLike[str]) -> bytes:
        """The content of a file."""
        raise NotImplementedError

    def get_text(self, filepath: str | os.PathLike[str], encoding: str = "utf-8") -> str:
        """The content of a text file."""
        return self.get(filepath).decode(encoding)

    @contextmanager
    def get_local_path(self, filepath: str | os.PathLike[str]) -> Iterator[str]:
        """Lend a file of this machine with the same content and ending; it goes when the block ends."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"file{Path(os.fspath(filepath)).suffix}")
            path.write_bytes(self.get(filepath))
            yield str(path)

    def _kept(self, key: str, fetch: Callable[[], bytes]) -> bytes:
        """A file from the cache, or fetched and put there."""
        if self._cache is None:
            return fetch()
        if (content := self._cache.get(key)) is not None:
            return content
        content = fetch()
        try:
            self._cache.put(key, content)
        except OSError as error:
            if not self._told:
                self._told = True
                print_log(
                    f"The cache of files cannot be written ({error}), they are fetched each time. Set cache_dir of"
                    " backend_args to a folder that can be written.",
                    "current",
                    logging.WARNING,
                )
        return content


class RemoteBackend(ReadingBackend):
    """Files at https, http and S3 addresses with retries and a bounded cache, and files of this machine as ever.

    ``backend_args=dict(backend="mmdetpre.Remote", cache_gb=200)`` of a data set or a transform. A file at an address is
    taken to stay as it is: after a change, name another ``cache_dir``.

    Args:
        cache_gb: Bound of the files that are kept on this machine; 0: none.
        cache_dir: Folder for them; by default ``files`` in `mmdetpre.utils.cache_folder`.
        retries: How often a file is asked for again.
        timeout: Seconds without an answer after which a connection counts as lost.
        first_wait: Seconds before the first retry; each wait is twice the last.
        most_mb: Largest file, in units of 2**20 bytes.

    Example:
        >>> RemoteBackend().exists("no such file")
        False
    """

    def __init__(
        self,
        cache_gb: float = 0,
        cache_dir: str | None = None,
        retries: int = 8,
        timeout: float = 30.0,
        first_wait: float = 0.5,
        most_mb: float = 512,
    ) -> None:
        super().__init__(cache_gb, cache_dir)
        self.files = RemoteFiles(retries, timeout, first_wait)
        self.most_mb = most_mb

    def get(self, filepath: str | os.PathLike[str]) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: If there is no such file.
            StorageError: If the store does not answer after all retries, or refuses.
        """
        path, most = os.fspath(filepath), int(self.most_mb * MIB)
        if not is_remote(path):
            return read_bounded(path, most)
        return self._kept(path, lambda: self.files.read(path, most))

    def get_large(self, filepath: str) -> bytes:
        """The content of an annotation file, up to 8 GiB, which no cache keeps.

        Raises:
            FileNotFoundError, StorageError: As :meth:`get`.
        """
        return self.files.read(filepath, 8 * GIB) if is_remote(filepath) else read_bounded(filepath, 8 * GIB)

    def exists(self, filepath: str | os.PathLike[str]) -> bool:
        """Whether there is a file."""
        path = os.fspath(filepath)
        return self.files.exists(path) if is_remote(path) else os.path.exists(path)

    isfile = exists

    def mark(self, filepath: str) -> str:
        """What changes when a far file does."""
        return self.files.mark(filepath)
