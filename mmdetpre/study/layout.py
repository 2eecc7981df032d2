"""Where the files of a study are."""

from __future__ import annotations

from pathlib import Path

from mmdetpre.utils.bounded_files import read_bounded
from mmdetpre.utils.whole_file import write_text


def job_path(out: Path, run: str) -> Path:
    """File that says what a run does."""
    return out / "jobs" / f"{run}.json"


def config_path(out: Path, run: str) -> Path:
    """Config that a run trains."""
    return out / "configs" / f"{run}.py"


def work_dir(out: Path, run: str) -> Path:
    """Folder that a run works in."""
    return out / "runs" / run


def write_if_changed(path: Path, text: str) -> None:
    """Write a file whose time is to tell when its content changed."""
    if not holds(path, text):
        write_text(path, text)


def holds(path: Path, text: str) -> bool:
    """Whether the file is there and its content is the text, in UTF-8."""
    content = text.encode("utf-8")
    return path.is_file() and path.stat().st_size == len(content) and read_bounded(path, len(content)) == content
