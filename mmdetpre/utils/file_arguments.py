"""Files as a command line names them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdetpre.utils.plain_text import printable

PICTURES = (".png", ".jpg", ".pdf", ".svg")
NUMBERS = (".csv", ".json")
"""Suffixes of the files of ``--plot`` and ``--out``."""


def named_files(arguments: Sequence[str], example: str) -> dict[str, Path]:
    """Names and files of ``NAME=FILE`` arguments, in their order.

    Raises:
        ValueError: If an argument has another form, then ``example`` shows one, or two runs have one name.

    Example:
        >>> list(named_files(["a=runs/a.json", "b=runs/b.json"], "scratch=iou.json"))
        ['a', 'b']
    """
    files: dict[str, Path] = {}
    for argument in arguments:
        name, _, file = argument.partition("=")
        if not (name and file):
            raise ValueError(f"The run '{argument}' has another form than NAME=FILE, such as {example}.")
        if name in files:
            raise ValueError(f"Two runs are called '{name}': give each a name of its own.")
        files[name] = Path(file)
    return files


def require_new_files(files: Iterable[tuple[Path | None, Sequence[str]]], *, force: bool = False) -> None:
    """Check files that are to be written, each with the suffixes it may have; None for files that are not wanted.

    Raises:
        FileExistsError: If one exists and ``force`` is not set.
        ValueError: If one has another suffix.

    Example:
        >>> require_new_files([(Path("errors.png"), (".png",)), (None, (".csv",))])
    """
    for path, suffixes in files:
        if path is None:
            continue
        if path.suffix not in suffixes:
            raise ValueError(f"{path} ends in '{path.suffix}': expected one of {', '.join(suffixes)}.")
        if path.exists() and not force:
            raise FileExistsError(f"{path} exists: choose another name, or add --force to overwrite it.")


def picture_and_numbers(
    plot: Path | None, out: Path | None, *, pictures: Sequence[str] = PICTURES, force: bool = False
) -> tuple[Path | None, Path | None]:
    """The files of ``--plot`` and ``--out``, checked as by :func:`require_new_files`.

    A picture given as ``--out``, as tools took it before, is that of ``--plot``; one line on stderr says so.

    Args:
        plot: The picture.
        out: The numbers, .csv or .json.
        pictures: Suffixes that a picture may have.
        force: Existing files may be overwritten.

    Raises:
        FileExistsError: If one exists and ``force`` is not set.
        ValueError: If both are missing, or one has another suffix.

    Example:
        >>> picture_and_numbers(Path("a.png"), None)
        (PosixPath('a.png'), None)
    """
    if out is not None and plot is None and out.suffix in pictures:
        print(f"--out {printable(out)} is a picture: use --plot, --out will be for numbers only.", file=sys.stderr)
        plot, out = out, None
    if plot is None and out is None:
        raise ValueError("Nothing is to be written: give --plot PICTURE, --out NUMBERS, or both.")
    require_new_files([(plot, pictures), (out, NUMBERS)], force=force)
    return plot, out
