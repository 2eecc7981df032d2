"""Locks on files of a study, which the commands of a run inherit by their descriptor."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, busy: Callable[[], None]) -> Iterator[int]:
    """Hold a lock, which the system releases when the last process that has it ends, whatever ends it.

    Args:
        path: The file; its content stays.
        busy: Called if another process has the lock, which is then waited for; may raise instead.

    Yields:
        The descriptor.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder, "a.lock"), lambda: None) as descriptor:
        ...     os.fstat(descriptor).st_size
        0
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
