"""Reads one file by ``backend_args``, and tells a file that is not there from a store that does not answer."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
from mmengine import fileio

from mmdetpre.storage.retry import PassingFault, StorageError, retried
from mmdetpre.utils.locks import file_lock
from mmdetpre.utils.whole_file import whole_file

_LOST = frozenset(
    {
        *(errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.EREMOTEIO),
    }
)
"""What the system tells of a file server that is away."""
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What it tells of itself."""


def is_local(path: str, backend_args: Mapping[str, Any] | None = None) -> bool:
    """Whether a path is read from a disk of this machine, or one that is mounted like it.

    Example:
        >>> is_local("data/a.jpg"), is_local("a.jpg", dict(backend="lmdb", db_path="a.lmdb")), is_local("https://h/a")
        (True, False, False)
    """
    return (backend_args or {}).get("backend", "local") in ("local", "mmdetpre.Remote") and "://" not in path


def read_bytes(path: str, backend_args: Mapping[str, Any] | None = None, *, retries: int = 8) -> bytes:
    """The content of a file, by a backend of mmengine or of this package.

    A file server or a network that fails is asked again, see `mmdetpre.storage.retry.retried`.

    Args:
        path: Path, address or key.
        backend_args: Arguments of the backend; ``None``: by the path.
        retries: How often it is asked again. The backends of this package have their own number.

    Raises:
        FileNotFoundError: If there is no such file or key.
        StorageError: If the store does not answer: no fault of the file.
        OSError: If a file of this machine cannot be read.
    """
    local = is_local(path, backend_args)

    def read() -> bytes:
        try:
            content = fileio.get(path, backend_args=None if backend_args is None else dict(backend_args))
        except (FileNotFoundError, StorageError):
            raise
        except HTTPError as error:
            if error.code in (404, 410):
                raise FileNotFoundError(f"There is no file at {path} (status {error.code}).") from error
            raise PassingFault(str(error)) from error
        except OSError as error:
            if local and error.errno not in _LOST | _SHORT:
                raise
            raise PassingFault(str(error)) from error
        if content is None:  # mmengine's LMDB backend
            raise FileNotFoundError(f"There is no {path} in the database: its keys are other names.")
        return content

    return retried(read, path, retries=retries)


def backend_of(path: str, backend_args: Mapping[str, Any] | None = None) -> Any:
    """The backend that reads a path, one per process and arguments."""
    args = None if backend_args is None else dict(backend_args)
    return fileio.get_file_backend(path, backend_args=args, enable_singleton=True)


def file_exists(path: str, backend_args: Mapping[str, Any] | None = None) -> bool:
    """Whether there is a file; taken for granted of backends that cannot tell, such as mmengine's for http and LMDB.

    Raises:
        StorageError: If the store does not answer.
    """
    backend = backend_of(path, backend_args)
    return bool(backend.exists(path)) if hasattr(backend, "exists") else True


def known_sizes(paths: Sequence[str], backend_args: Mapping[str, Any] | None = None) -> np.ndarray | None:
    """(N, 2) int32 width and height of images, of backends that know them without reading the images; else ``None``."""
    backend = backend_of(paths[0], backend_args) if paths and backend_args is not None else None
    return backend.image_sizes(paths) if backend is not None and hasattr(backend, "image_sizes") else None


def local_copy(path: str, backend_args: Mapping[str, Any] | None, folder: str | os.PathLike[str]) -> str:
    """A file of this machine with the content of another one: itself, or a copy that is fetched when it is another.

    Args:
        path: Path, address or key of an annotation file.
        backend_args: Arguments of the backend; ``None``: by the path.
        folder: Where copies are kept; several processes may share it.

    Raises:
        FileNotFoundError, StorageError: As `read_bytes`.
    """
    if is_local(path, backend_args):
        return path
    backend = backend_of(path, backend_args)
    content = None if hasattr(backend, "mark") else read_bytes(path, backend_args)
    mark = backend.mark(path) if content is None else hashlib.sha256(content).hexdigest()
    name = Path(path.partition("://")[2] or path).name or "file"
    target = Path(folder, f"{hashlib.sha256(f'{path}|{mark}'.encode()).hexdigest()[:16]}-{name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(f"{target}.lock"):
        if not target.is_file():
            if content is None:
                content = backend.get_large(path) if hasattr(backend, "get_large") else backend.get(path)
            with whole_file(target, links=False) as part:
                part.write_bytes(content)
    return str(target)
