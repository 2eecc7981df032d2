"""Where the files of a study are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mmdetpre.utils.bounded_files import read_bounded
from mmdetpre.utils.whole_file import write_text

BACKBONE = "backbone_final.pth"
"""What a training leaves in its work dir for those that come after it."""


def job_path(out: Path, run: str) -> Path:
    """File that says what a run does."""
    return out / "jobs" / f"{run}.json"


def config_path(out: Path, run: str) -> Path:
    """Config that a run trains."""
    return out / "configs" / f"{run}.py"


def work_dir(out: Path, run: str) -> Path:
    """Folder that a run works in."""
    return out / "runs" / run


def write_json_if_changed(path: Path, content: Mapping[str, object]) -> None:
    """Write plain values into a file whose modification time shows when its content changed."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    if not holds(path, text):
        write_text(path, text)


def holds(path: Path, text: str) -> bool:
    """Whether the file is there and its content is the text, in UTF-8."""
    content = text.encode("utf-8")
    return path.is_file() and path.stat().st_size == len(content) and read_bounded(path, len(content)) == content
