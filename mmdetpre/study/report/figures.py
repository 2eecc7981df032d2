"""The figures of a study: the pictures that its runs left, and a place for each that is missing."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.study.figures import FIGURES, IMAGES
from mmdetpre.study.kinds import FIGURE_RUNS
from mmdetpre.study.records import DONE, Outcome
from mmdetpre.study.report.result_tables import NOT_PLANNED
from mmdetpre.utils.bounded_files import read_bounded

_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


NO_PHOTOS = "shows photos, which are left out of this page"
LARGEST = 64 << 20
"""Bytes of a picture that a page holds."""


@dataclass(frozen=True)
class Figure:
    """A figure, or the place where it is missing.

    Attributes:
        number: Of the paper's figure.
        title, caption: To stand below it.
        run: Id of the run that drew it or should have; empty if none was planned.
        image: File of the picture, or None.
        data: File of the numbers behind it, as the run names it; may be empty.
        state: Why there is no picture; empty where there is one.
    """

    number: str
    title: str
    caption: str
    run: str
    image: Path | None
    data: str
    state: str

    @property
    def label(self) -> str:
        """What comes before the title; empty for figures of images."""
        return "" if self.number == IMAGES else f"Figure {self.number}."


def figures(outcome: Outcome, photos: bool = True) -> list[Figure]:
    """In the order of their numbers, last those of images; what is wrong with a picture is added to the ``problems``.

    Args:
        outcome: Of the study.
        photos: Whether figures with photos of the data have a picture.
    """
    found: dict[str, list[Figure]] = {}
    titles = {str(number): figure.title for number, figure in FIGURES.items()}
    without = {str(number) for number, figure in FIGURES.items() if not figure.photos}
    for run in outcome.runs.values():
        told = run.content.get("figure") if run.state == DONE else None
        if told:
            number = told["number"]
            picture, state = None, NO_PHOTOS
            if photos or number in without:
                picture, state = _picture(outcome, run.id, str(told.get("image") or ""))
            title = str(told.get("title") or titles.get(number, ""))
            caption, data = (str(told.get(key) or "") for key in ("caption", "data"))
            found.setdefault(number, []).append(Figure(number, title, caption, run.id, picture, data, state))
        elif run.task == FIGURE_RUNS:
            number, *names = run.id.split("/")[1:] or [run.id]
            state = "not measured" if run.state == DONE else run.state
            title = titles.get(number) or _title(outcome, names)
            found.setdefault(number, []).append(Figure(number, title, "", run.id, None, "", state))
    for number, title in titles.items():
        found.setdefault(number, [Figure(number, title, "", "", None, "", NOT_PLANNED)])
    return [figure for number in sorted(found, key=_order) for figure in found[number]]


def _title(outcome: Outcome, names: Sequence[str]) -> str:
    """Of the images of a task and an initialization that are not drawn."""
    if len(names) != 2:
        return "/".join(names)
    task, init = names
    return f"{outcome.tasks.get(task, {}).get('title') or task}, {outcome.title_of_init(init)}"


def data_uri(path: Path) -> str:
    """A picture as text that a page can hold.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it grew beyond what a page holds.
    """
    return f"data:{_TYPES[path.suffix.lower()]};base64,{base64.b64encode(read_bounded(path, LARGEST)).decode()}"


def _picture(outcome: Outcome, run: str, name: str) -> tuple[Path | None, str]:
    path = outcome.folder / name
    if name and not _is_inside(path, outcome.folder):
        outcome.problems.append(
            f"{run} names the picture '{name}', which is not in the folder of the study: it is not shown."
        )
        return None, "not in the folder of the study"
    if not name or not os.path.isfile(path):
        outcome.problems.append(f"{run} names the picture '{name}', which is gone: run it again.")
        return None, "picture gone"
    if path.stat().st_size > LARGEST:
        outcome.problems.append(f"{run} names the picture '{name}', of more than {LARGEST >> 20} MiB: it is not shown.")
        return None, "a picture too large for a page"
    if path.suffix.lower() not in _TYPES:
        outcome.problems.append(f"{run} names the picture '{name}': a page shows {', '.join(_TYPES)}.")
        return None, "not a picture that a page can show"
    return path, ""


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies below a folder, links followed, and is named so."""
    try:
        return path.resolve().is_relative_to(folder.resolve()) and ".." not in path.relative_to(folder).parts
    except (OSError, ValueError, RuntimeError):  # a name with a null byte, links in a circle
        return False


def _order(number: str) -> tuple[int, str]:
    digits = "".join(c for c in number if c.isdigit())
    return (int(digits) if digits else 10**6, number)
