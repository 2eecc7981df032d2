"""Files of scores: runs as JSON with a mark of their kind, and tables as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write_runs(path: str | Path, kind: str, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """Write runs as JSON that :func:`read_runs_of_kind` reads."""
    write_text(path, json.dumps({"format": kind, "runs": list(runs)}, allow_nan=False) + "\n", overwrite=overwrite)


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
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != kind:
            raise ValueError(f"its mark is '{content['format']}'")
        return content["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no {what} ({error}). {writer} writes such a file.") from error


def write_rows(path: str | Path, rows: Iterable[Sequence[Any]], *, overwrite: bool = False) -> None:
    """Write rows as CSV; ``None`` becomes an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue(), overwrite=overwrite)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file and the folders it needs.

    Raises:
        FileExistsError: If it exists and ``overwrite`` is not set.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w" if overwrite else "x", encoding="utf-8") as file:
        file.write(text)
