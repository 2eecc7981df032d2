"""Checksums of large files that are memory-mapped for ever: verified once, and again when a file is another one."""

from __future__ import annotations

import json
import os
import reprlib
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.whole_file import whole_file

VERIFIED = "verified.json"
"""File beside the checked ones that says which of them were verified."""
_BLOCK = 1 << 22


def checksum(path: str | os.PathLike) -> int:
    """CRC-32 of a file, about a second per gigabyte.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a")
        >>> _ = file.write_bytes(b"abc")
        >>> checksum(file)
        891568578
    """
    value = 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


def checksums(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """Checksum of each file of a folder; they count as verified from now on."""
    found = {name: checksum(folder / name) for name in names}
    _remember(folder, found)
    return found


def damaged_files(folder: Path, sums: Mapping[str, int]) -> list[str]:
    """Names of the files whose content is not what it was when their checksum was taken; missing ones too.

    A file that was found good is not read again as long as it is the same one by its number, size and times. In a
    folder that cannot be written, files are read each time.

    Args:
        folder: The folder.
        sums: Checksum of each file; of a stranger's folder they may be anything.

    Raises:
        ValueError: If a name leads out of the folder, or this is not a table of checksums.
    """
    if not isinstance(sums, Mapping):
        raise ValueError(f"{folder} has no table of checksums, but {reprlib.repr(sums)}")
    for name in sums:
        if name in ("", os.curdir, os.pardir) or set(name) & set("/\\\0"):
            raise ValueError(f"{folder} has a checksum of {reprlib.repr(name)}, which is not a file of that folder")
    before = _known(folder)
    bad, read = [], False
    for name, expected in sums.items():
        try:
            if before.get(name) == [*_identity(folder / name), expected]:
                continue
            read = True
            if checksum(folder / name) != expected:
                bad.append(name)
        except OSError:
            bad.append(name)
    if read and not bad:
        _remember(folder, sums)
    return bad


def _remember(folder: Path, sums: Mapping[str, int]) -> None:
    with suppress(OSError):  # else they are read again next time
        known = {name: [*_identity(folder / name), value] for name, value in sums.items()}
        with whole_file(folder / VERIFIED, links=False) as part:
            part.write_text(json.dumps(known), encoding="utf-8")


def _known(folder: Path) -> dict[str, list[int]]:
    try:
        known = read_json(folder / VERIFIED)
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _identity(path: Path) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
