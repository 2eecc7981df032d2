"""A lock between processes that nobody can point at another file."""

from __future__ import annotations

import os

from filelock import FileLock


def file_lock(path: str | os.PathLike[str]) -> FileLock:
    """A lock on a file that is empty and stays; ``FileLock`` empties what it opens, also behind a link.

    Raises:
        FileExistsError: If the path is a link, or a file with content: it is somebody's own.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, file_lock(f"{folder}/.train.lock") as lock:
        ...     lock.is_locked
        True
    """
    if os.path.islink(path) or (os.path.isfile(path) and os.path.getsize(path)):
        raise FileExistsError(f"{os.fspath(path)} is a link or holds something, so it is not a lock: remove it.")
    return FileLock(path)
