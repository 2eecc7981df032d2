"""One way to read a file, wherever its address leads: this machine, http, https or S3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from mmdetpre.storage.http_files import HttpFiles
from mmdetpre.storage.retry import retried
from mmdetpre.storage.s3_files import S3Files
from mmdetpre.utils.bounded_files import GIB

T = TypeVar("T")
SCHEMES: dict[str, type[HttpFiles] | type[S3Files]] = {"https": HttpFiles, "http": HttpFiles, "s3": S3Files}


class Store(Protocol):
    """What reads files of one kind of address, one try each."""

    def read(self, address: str, most_bytes: int, start: int | None = None, size: int = 0) -> bytes:
        """The content of a file, or a part of it.

        Args:
            address: The address.
            most_bytes: Largest content.
            start: First byte of the part, or ``None`` for all.
            size: Bytes of the part.
        """

    def mark(self, address: str) -> str:
        """What changes when the file does."""


def is_remote(address: str) -> bool:
    """Whether an address leads to another machine.

    Raises:
        ValueError: If it has a scheme that is not read.

    Example:
        >>> is_remote("https://host/a.jpg"), is_remote("data/a.jpg")
        (True, False)
    """
    scheme, found, _ = address.partition("://")
    if not found or "/" in scheme:
        return False
    if scheme not in SCHEMES:
        raise ValueError(
            f"{address:.200} is not an address that can be read: those begin with one of {', '.join(SCHEMES)}."
        )
    return True


class RemoteFiles:
    """Files at addresses, with retries: after a time-out, a lost connection, a 503.

    Args:
        retries: How often a file is asked for again, see `mmdetpre.storage.retry.retried`.
        timeout: Seconds without an answer after which a connection counts as lost.
        first_wait: Seconds before the first retry; each wait is twice the last.
    """

    def __init__(self, retries: int = 8, timeout: float = 30.0, first_wait: float = 0.5) -> None:
        self.retries, self.timeout, self.first_wait = retries, timeout, first_wait
        self._stores: dict[type, Store] = {}

    def read(self, address: str, most_bytes: int = GIB, start: int | None = None, size: int = 0) -> bytes:
        """The content of a file, or ``size`` bytes of it from ``start`` on.

        Args:
            address: https://, http:// or s3://.
            most_bytes: Largest content.
            start: First byte of the part, or ``None`` for all.
            size: Bytes of the part, at least 1.

        Raises:
            FileNotFoundError: If there is no such file.
            StorageError: If the store does not answer after all retries, or refuses.
        """
        store = self._store(address)
        return self._retried(lambda: store.read(address, most_bytes, start, size), address)

    def mark(self, address: str) -> str:
        """What changes when the file does (its size, its time, its ETag).

        Raises:
            FileNotFoundError, StorageError: As :meth:`read`.
        """
        store = self._store(address)
        return self._retried(lambda: store.mark(address), address)

    def exists(self, address: str) -> bool:
        """Whether there is a file.

        Raises:
            StorageError: If the store does not tell.
        """
        try:
            self.mark(address)
        except FileNotFoundError:
            return False
        return True

    def _retried(self, act: Callable[[], T], address: str) -> T:
        return retried(act, address, retries=self.retries, first_wait=self.first_wait)

    def _store(self, address: str) -> Store:
        is_remote(address)
        kind = SCHEMES[address.partition("://")[0]]
        if kind not in self._stores:
            self._stores[kind] = kind(self.timeout)
        return self._stores[kind]
