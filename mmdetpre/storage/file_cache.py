"""Copies of far files on a disk of this machine, never more than a bound of them."""

from __future__ import annotations

import hashlib
import os
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

from mmdetpre.utils.locks import file_lock
from mmdetpre.utils.whole_file import PART

_BUCKETS = 64
_ROOM = 0.9
"""What a bucket is cut down to, so that its files are not looked through each time."""
_USED_AGAIN = 60.0
"""Seconds; a file that is used more often is not marked more often."""
_END = struct.Struct("<QI")  # length and CRC-32 of what comes before
_TOTAL = "total"


class FileCache:
    """Files by key, on disk; of those that exceed a bound, the ones not used for the longest time go.

    Any number of processes share one: a file gets its name when it is whole, and a bucket, of which there are 64, has a
    lock for those that write. A file ends with its length and checksum, so one that a crash or a bad disk has damaged
    is not given back but removed. What the total of a bucket says is never below the truth, so the bound holds also
    after a process was killed.

    Args:
        folder: Made if need be, for this user alone.
        gigabytes: Bound of all files together, in 10**9 bytes. A file above a 64th of it is not kept.

    Raises:
        ValueError: If the bound is not above 0.

    Example:
        >>> import tempfile
        >>> cache = FileCache(tempfile.mkdtemp(), gigabytes=0.1)
        >>> cache.put("https://host/a.jpg", b"...")
        >>> cache.get("https://host/a.jpg"), cache.get("https://host/b.jpg")
        (b'...', None)
    """

    def __init__(self, folder: str | os.PathLike[str], gigabytes: float) -> None:
        if not gigabytes > 0:
            raise ValueError(f"cache_gb is {gigabytes}: give the gigabytes that the cache may take, or 0 for none.")
        self.folder, self.gigabytes = Path(folder), gigabytes
        self.bucket_bytes = int(gigabytes * 1e9 / _BUCKETS)

    def get(self, key: str) -> bytes | None:
        """The content of a file, or ``None`` if it is not here."""
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with open(descriptor, "rb") as file:
                content = file.read()
                used = os.fstat(descriptor).st_mtime
        except OSError:
            return None
        if len(content) < _END.size or _END.unpack(content[-_END.size :]) != _ending(content[: -_END.size]):
            with suppress(OSError):
                path.unlink()
            return None
        if time.time() - used > _USED_AGAIN:
            with suppress(OSError):
                os.utime(path)
        return content[: -_END.size]

    def put(self, key: str, content: bytes) -> None:
        """Keep a file, if there is room for it.

        Raises:
            OSError: If the folder cannot be written.
        """
        size = len(content) + _END.size
        if size > self.bucket_bytes:
            return
        path = self._path(key)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file_lock(path.parent / "lock"):
            if path.exists():
                return
            total = _read_total(path.parent)
            if total is None or total + size > self.bucket_bytes:
                total = self._make_room(path.parent, size)
            _write_total(path.parent, total + size)  # before the file: a total is never too small
            part = path.with_name(f"{path.name}{PART}")
            part.write_bytes(content + _END.pack(*_ending(content)))
            os.replace(part, path)

    def _make_room(self, bucket: Path, size: int) -> int:
        """Bytes of the files that stay, after the oldest are gone and there is room for ``size`` more."""
        files = []
        with os.scandir(bucket) as entries:
            for entry in entries:
                if entry.name in ("lock", _TOTAL):
                    continue
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(PART):  # of a process that was killed: the lock is ours
                    os.unlink(entry.path)
                else:
                    files.append((status.st_mtime, status.st_size, entry.path))
        total = sum(length for _, length, _ in files)
        if total + size <= self.bucket_bytes:
            return total
        room = min(int(_ROOM * self.bucket_bytes), self.bucket_bytes - size)
        for _, length, path in sorted(files):
            if total <= room:
                break
            with suppress(FileNotFoundError):
                os.unlink(path)
            total -= length
        return total

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / f"{int(digest[:4], 16) % _BUCKETS:02d}" / digest


def _ending(content: bytes) -> tuple[int, int]:
    return len(content), zlib.crc32(content)


def _read_total(bucket: Path) -> int | None:
    try:
        return int((bucket / _TOTAL).read_bytes()[:20])
    except (OSError, ValueError):
        return None


def _write_total(bucket: Path, total: int) -> None:
    part = bucket / f"{_TOTAL}{PART}"
    part.write_bytes(b"%d" % total)
    os.replace(part, bucket / _TOTAL)
