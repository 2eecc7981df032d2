"""Files of scores: runs as JSON with a mark of their kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.utils import bounded_files
from mmdetpre.utils.whole_file import write_json


def write_runs(path: str | Path, kind: str, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """Write runs as JSON that :func:`read_runs_of_kind` reads.

    Args:
        path: The JSON file.
        kind: Name of the format, stored in the file.
        runs: Scores of each run as plain values.
        overwrite: Replace an existing file.
    """
    content = {"format": kind, "runs": list(runs)}
    write_json(path, content, overwrite=overwrite, allow_nan=False, indent=None, ensure_ascii=True)


def read_runs_of_kind(path: str | Path, kind: str, what: str, writer: str) -> list[dict[str, Any]]:
    """The runs of a JSON file.

    Args:
        path: The file.
        kind: Its mark.
        what: What it should hold, for messages.
        writer: What writes such a file, for messages.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is another kind of file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}: {writer} writes it.")
    try:
        content = bounded_files.read_json(path)
        if content["format"] != kind:
            raise ValueError(f"its mark is '{content['format']}'")
        return content["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no {what} ({error}). {writer} writes such a file.") from error
