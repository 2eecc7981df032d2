"""Which checkpoint of a work dir an interrupted training resumes from: the newest that is whole."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.utils.bounded_files import MIB, read_bounded
from mmdetpre.utils.whole_file import write_text

POINTER = "last_checkpoint"
"""File of mmengine in a work dir: the path of the checkpoint that was written last."""
_OF_TRAINING = re.compile(r"(epoch|iter)_\d+\.pth")
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True)
class Resumable:
    """What a work dir holds to go on from.

    Attributes:
        path: The newest whole checkpoint; None if there is none.
        damaged: Checkpoints that are newer and not whole, each with what is wrong with it.
    """

    path: Path | None
    damaged: tuple[tuple[Path, str], ...] = ()


def damage(path: str | os.PathLike[str]) -> str | None:
    """What is wrong with a checkpoint as a file; None if it is whole.

    The sums of all bytes that torch writes into the archive are checked, which torch itself does not do when it reads:
    a second per gigabyte. Files of torch before 1.6 have none; they are read.

    Args:
        path: The file; or a folder, which some strategies of mmengine write, and which is taken as whole.

    Example:
        >>> damage("work_dirs/run/none.pth")
        'it is not there'
    """
    path = Path(path)
    if path.is_dir():
        return None if any(path.iterdir()) else "it is an empty folder"
    if not path.is_file():
        return "it is not there"
    try:
        with path.open("rb") as file:
            start = file.read(len(_LEGACY_MAGIC))
        if not start:
            return "it is empty"
        if start == _LEGACY_MAGIC:
            from mmdetpre.checkpoints.torch_file import read_torch_file

            read_torch_file(path)
            return None
        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith("/data.pkl") for name in archive.namelist()):
                return "it is another kind of file"
            bad = archive.testzip()
    except Exception as error:  # a damaged file makes zipfile, zlib and pickle fail in any way
        said = (str(error).splitlines() or [""])[0]
        return f"it is cut off or damaged ({said or type(error).__name__})"
    return None if bad is None else f"it is damaged: the bytes of {bad} have changed"


def newest_whole(folder: str | os.PathLike[str]) -> Resumable:
    """The newest whole checkpoint of a work dir.

    That is the one that ``last_checkpoint`` names, also if the folder was moved since; or a later one of the same
    training, if the process ended between writing it and naming it. If neither is whole: the one written before.

    Args:
        folder: The work dir.

    Example:
        >>> newest_whole("work_dirs/never_trained").path is None
        True
    """
    folder = Path(folder)
    damaged: list[tuple[Path, str]] = []
    for path in _candidates(folder):
        if (reason := damage(path)) is None:
            return Resumable(path, tuple(damaged))
        damaged.append((path, reason))
    return Resumable(None, tuple(damaged))


def point_to_newest(folder: str | os.PathLike[str]) -> Resumable:
    """Have ``last_checkpoint`` of a work dir name the newest whole checkpoint, or remove it if there is none.

    mmengine resumes from what that file names, whole or not.

    Args:
        folder: The work dir.

    Returns:
        What was found.
    """
    found = newest_whole(folder)
    pointer = Path(folder) / POINTER
    if found.path is None:
        pointer.unlink(missing_ok=True)
    elif not pointer.is_file() or read_bounded(pointer, MIB).strip() != os.fsencode(found.path):
        write_text(pointer, os.fspath(found.path))
    return found


def _candidates(folder: Path) -> list[Path]:
    """Checkpoints to go on from, the most wanted first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _OF_TRAINING.fullmatch(path.name)]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    named = _named(folder)
    if named is None:
        return found
    if not named.exists():
        return found or [named]
    later = []
    written = (folder / POINTER).stat().st_mtime_ns
    reached = _iteration(named)
    for path in found:
        # A copied folder has any times, and other trainings may have left their checkpoints here.
        if path != named and path.stat().st_mtime_ns > written and (_iteration(path) or 0) > (reached or 0):
            later.append(path)
    later.sort(key=lambda path: _iteration(path) or 0, reverse=True)
    return [*later, named, *(path for path in found if path not in (*later, named))]


def _named(folder: Path) -> Path | None:
    """What ``last_checkpoint`` names, here if the folder was moved; None if it names nothing."""
    try:
        text = read_bounded(folder / POINTER, MIB).decode("utf-8").strip()
    except (OSError, ValueError):
        return None
    if not text or "\0" in text:
        return None
    beside = folder / Path(text).name
    return beside if beside.exists() else Path(text)


def _iteration(path: Path) -> int | None:
    """Iterations that a checkpoint has seen; None if it does not tell."""
    from mmdetpre.checkpoints.torch_file import read_torch_file

    try:
        return int(read_torch_file(path, mapped=True)["meta"]["iter"])
    except Exception:  # damaged, which `damage` tells
        return None
