"""Writes files whole or not at all: whoever reads one finds its old content or its new content, never a part."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdetpre.utils.plain_text import csv_text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PART = ".part"
"""Ending of the temporary files, which stay behind where a process is killed while it writes."""


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool = True, links: bool = True) -> Iterator[Path]:
    """Lend a temporary file in the folder of ``path`` that takes its place when the block ends without an error.

    The content is on the disk before the name is (fsync), so that also a machine that loses its power leaves one of the
    two. After an error, or if the process is killed, what stood at ``path`` stands there still. The folders that
    ``path`` needs are made; a symbolic link stays, and the file it leads to is replaced.

    Args:
        path: File to write.
        overwrite: Replace an existing file.
        links: Write where a symbolic link leads; no: refuse one, as for caches, whose place a stranger may have filled.

    Yields:
        Path of the temporary file, which exists and is empty. Its name ends in `PART`: where a library adds an ending
        of its own or takes its format from it (``np.save``, ``savefig``), open the file and hand that over.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set, also if it came while the block ran; or if
            it is a link, where those are refused.
        OSError: If it cannot be written: no space, no permission, a file where a folder should be; names the file, and
            is of the class of the system's error.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "runs.txt") as part:
        ...     _ = part.write_text("scratch")
        >>> (folder / "runs.txt").read_text()
        'scratch'
    """
    given, path = Path(path), Path(os.path.realpath(path))
    if not links and given.is_symlink():
        raise FileExistsError(f"{given} is a link to {path}, which is not written through: remove the link.")
    if given.is_dir():
        raise IsADirectoryError(f"{given} cannot be written: it is a folder.")
    if given.exists() and not given.is_file():  # a pipe or device, such as /dev/stdout: nothing to keep whole
        yield given
        return
    if not overwrite and os.path.lexists(path):
        raise _exists(given)
    part = _new_part(given, path)
    try:
        with _told(given):
            yield part
            _settle(part)
            os.chmod(part, _mode(path))
            _rename(part, path, given, overwrite)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = True) -> None:
    """Write a text in UTF-8, with its line ends as they are; see `whole_file`.

    Args:
        path: The file.
        text: Its content.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError, OSError: As `whole_file`.
    """
    with whole_file(path, overwrite=overwrite) as part:
        part.write_bytes(text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any, *, overwrite: bool = True, **options: Any) -> None:
    """Write plain values as JSON with indents, letters as they are; see `whole_file`.

    Args:
        path: File to write.
        content: What ``json.dumps`` takes.
        overwrite: Replace an existing file.
        options: For ``json.dumps``.

    Raises:
        FileExistsError, OSError: As `whole_file`.
        TypeError, ValueError: As ``json.dumps``, before anything is written.
    """
    text = json.dumps(content, **{"indent": 1, "ensure_ascii": False, **options})
    write_text(path, f"{text}\n", overwrite=overwrite)


def write_rows(path: str | os.PathLike[str], rows: Iterable[Sequence[Any]], *, overwrite: bool = True) -> None:
    """Write rows as CSV in UTF-8, ``None`` as an empty cell, no text as a formula; see `whole_file` and `csv_text`.

    Args:
        path: The file.
        rows: Cells of each line.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError, OSError: As `whole_file`.
    """
    write_text(path, csv_text(rows), overwrite=overwrite)


def write_figure(path: str | os.PathLike[str], figure: Figure, *, overwrite: bool = True) -> None:
    """Write a figure of matplotlib in the format that the ending of ``path`` names; see `whole_file`.

    Args:
        path: The file.
        figure: The figure.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError, OSError: As `whole_file`.
        ValueError: If matplotlib knows no such format.
    """
    with whole_file(path, overwrite=overwrite) as part, part.open("wb") as file:
        figure.savefig(file, format=Path(path).suffix.lstrip(".") or None)


def write_picture(path: str | os.PathLike[str], image: np.ndarray, *, overwrite: bool = True) -> None:
    """Write (h, w, 3) uint8 RGB in the format that the ending of ``path`` names; see `whole_file`.

    Args:
        path: The file.
        image: (h, w, 3) uint8 RGB.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError, OSError: As `whole_file`.
        ValueError: If OpenCV knows no such format.
    """
    import cv2

    suffix = Path(path).suffix
    if not cv2.haveImageWriter(f"a{suffix}"):
        raise ValueError(f"{path} ends in {suffix!r}, which is not a picture format: take .png or .jpg.")
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with whole_file(path, overwrite=overwrite) as part:
        part.write_bytes(encoded.tobytes())


def _new_part(given: Path, path: Path) -> Path:
    with _told(given):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=PART, dir=path.parent)
        os.close(handle)
    return Path(name)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file in errors of the system, which for a full disk name none, or the temporary file."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileExistsError) and error.errno is None:  # our own word
            raise
        if isinstance(error, FileExistsError | NotADirectoryError):
            reason = f"{next(folder for folder in path.parents if folder.exists())} is a file, not a folder"
        else:
            reason = error.strerror or f"{error} (is the disk full?)"
        told = type(error)(f"{path} cannot be written: {reason}. What stood there stands.")
        told.errno = error.errno
        raise told from error


def _settle(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(part: Path, path: Path, given: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(part, path)
    else:
        try:
            os.link(part, path)  # fails where another process has written in the meantime
        except FileExistsError:
            raise _exists(given) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise _exists(given) from None
            os.rename(part, path)
    with suppress(OSError):  # some network file systems cannot do it for folders
        _settle(path.parent)


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, or those of a new one."""
    with suppress(OSError):
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(f"{path} exists: choose another name, or allow it to be replaced.")
