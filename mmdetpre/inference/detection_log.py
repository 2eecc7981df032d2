"""Detections of many images as they come, one line each, so that an interrupted run resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmdetpre.utils.bounded_files import GIB, parse_json, read_bounded

FILE = "detections.jsonl"


@dataclass(frozen=True)
class ImageDetections:
    """Detections in an image.

    Attributes:
        image: Its name.
        width, height: In pixels.
        boxes: x1, y1, x2, y2 of each in pixels, half-open.
        scores, labels: Of each, the highest score first.
        fault: Why the image could not be read; empty: it could.
    """

    image: str
    width: int = 0
    height: int = 0
    boxes: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    fault: str = ""


class DetectionLog:
    """The file ``detections.jsonl`` of a folder: first what found them, then a line per image.

    Args:
        folder: The folder; it is made.
        made_by: What the detections depend on: model, settings, images.
        overwrite: Start again, whatever is there.

    Attributes:
        done: What is there already, in order. A line that an interrupted run left half-written is cut off.

    Raises:
        FileExistsError: If the file is of something else, or there is none in a folder that is not empty, and nothing
            may be overwritten.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> DetectionLog(folder, {"checkpoint": "a.pth"}).add(ImageDetections("a.jpg", 64, 48))
        >>> [found.image for found in DetectionLog(folder, {"checkpoint": "a.pth"}).done]
        ['a.jpg']
    """

    def __init__(self, folder: str | os.PathLike, made_by: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.path = Path(folder, FILE)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not overwrite and not self.path.exists() and any(self.path.parent.iterdir()):
            raise FileExistsError(
                f"{folder} has files, and none is {FILE}: give a new folder as --out, or add --force to write into it."
            )
        self.done: list[ImageDetections] = []
        head = json.dumps({"made_by": made_by}, sort_keys=True)
        before = self.path.exists() and not overwrite
        lines = read_bounded(self.path, 64 * GIB).splitlines(keepends=True) if before else []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        if lines and lines[0].decode(errors="replace").rstrip("\n") != head:
            raise FileExistsError(
                f"{self.path} is of {_difference(lines[0], made_by)}: give another --out, or add --force to start"
                " again."
            )
        self.done = [self._found(line, number) for number, line in enumerate(lines[1:], 2)]
        if lines:
            os.truncate(self.path, sum(map(len, lines)))
        else:
            self.path.write_text(f"{head}\n", encoding="utf-8")

    def add(self, found: ImageDetections) -> None:
        """Append an image."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(asdict(found))}\n")
        self.done.append(found)

    def _found(self, line: bytes, number: int) -> ImageDetections:
        values = parse_json(line, f"{self.path}, line {number}")
        try:
            return ImageDetections(**values)
        except TypeError as error:
            raise ValueError(f"{self.path}, line {number} is not of this program: remove the file.") from error


def _difference(head: bytes, made_by: Mapping[str, Any]) -> str:
    """What of another run is another: the first such thing, or that it is none of ours."""
    try:
        before = parse_json(head, FILE)["made_by"]
        key = next(key for key in made_by if before.get(key) != made_by[key])
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
        return "another program"
    return f"another {key} ({before.get(key)}, not {made_by[key]})"
