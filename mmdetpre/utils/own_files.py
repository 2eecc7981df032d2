"""Folders that we write into and that may hold files of a user's own: a record tells ours from theirs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmdetpre.utils.bounded_files import file_sha256, read_json
from mmdetpre.utils.whole_file import whole_file

FORMAT = "mmdetpre.written/1"


def require_own(folder: Path, names: Iterable[str], root: Path | None = None) -> None:
    """Refuse a folder in which files to be written are not those that we wrote.

    Args:
        folder: The folder; it need not be there.
        names: Files that are to be written there.
        root: Folder that it must lie in, whatever links say; None: its own parent.

    Raises:
        FileExistsError: Names the file that is a user's own, a link, or changed since.
        ValueError: If a link leads out of ``root``.
    """
    require_inside(folder, root or folder.parent)
    written = _read(folder)
    for name in names:
        path = folder / name
        if not os.path.lexists(path):
            continue
        if path.is_symlink() or not path.is_file() or file_sha256(path) not in written.get(name, ()):
            raise FileExistsError(
                f"{path} is not as mmdetpre wrote it: it is your own, or changed since. It is left as it is, and"
                " nothing was written; move it away and type the command again."
            )


def write_own(folder: Path, files: Mapping[str, str | bytes], root: Path | None = None) -> None:
    """Write files over older ones of ours, and over nothing else; each appears whole or not at all.

    Args:
        folder: The folder; it is made.
        files: Name and content of each.
        root: See `require_own`.

    Raises:
        FileExistsError, ValueError: As `require_own`, before anything is written.
        OSError: If a file cannot be written.

    Example:
        >>> write_own(Path("study/report"), {"tables.md": "..."})
        >>> Path("study/report/tables.md").read_text()
        '...'
    """
    require_own(folder, files, root)
    contents = {name: text.encode("utf-8") if isinstance(text, str) else text for name, text in files.items()}
    old, new = _read(folder), {name: _digest(content) for name, content in contents.items()}
    folder.mkdir(parents=True, exist_ok=True)
    both = {name: [*old.get(name, ()), *([new[name]] if name in new else [])] for name in (*old, *new)}
    _write(folder, both)  # a process that is killed below leaves files that are known all the same
    for name, content in contents.items():
        with whole_file(folder / name) as part:
            part.write_bytes(content)
    _write(folder, {name: [new[name]] if name in new else list(old[name]) for name in both})


def require_inside(path: Path, root: Path) -> None:
    """Refuse a path that links lead out of a folder.

    Raises:
        ValueError: Names where they lead.
    """
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise ValueError(f"{path} leads out of {root}, to {real}: links are not followed there; remove the link.")


def record_of(folder: Path) -> Path:
    """The record, beside the folder: the SHA-256 of each file as we left it, or are about to."""
    return folder.with_name(f".{folder.name}.written-by-mmdetpre.json")


def _read(folder: Path) -> dict[str, list[str]]:
    path = record_of(folder)
    try:
        if path.is_symlink() or (content := read_json(path))["format"] != FORMAT:
            return {}
        return {str(name): [str(digest) for digest in digests] for name, digests in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(folder: Path, files: Mapping[str, list[str]]) -> None:
    with whole_file(record_of(folder), links=False) as part:
        part.write_text(json.dumps({"format": FORMAT, "files": dict(files)}, indent=1) + "\n", encoding="utf-8")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
