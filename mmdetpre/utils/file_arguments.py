"""Files as a command line names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


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
