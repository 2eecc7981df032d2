"""The numbers of an error analysis, as a table, CSV or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmdetpre.evaluation.errors.class_groups import Groups
from mmdetpre.evaluation.errors.false_positives import TYPE_NAMES, TypeCounts
from mmdetpre.evaluation.errors.missed import MIN_PRECISION, LevelErrors
from mmdetpre.utils.plain_text import csv_text, markdown_text

ALL, OCCLUSION, HIDDEN, SIZE, ASPECT = "all", "occlusion", "occlusion or truncation from", "size", "aspect"
ANNOTATED, FLAGS, COVERED = "annotated", "flags", "covered"
"""Where the levels of occlusion come from."""
"""The properties by whose levels objects are distinguished."""


@dataclass(frozen=True)
class ErrorSettings:
    """How errors are distinguished.

    Attributes:
        iou_thr: Least IoU at which an object is found.
        min_iou: Least IoU that blames a false positive on an object.
        score_thr: Operating point of the missed objects; None for ``min_precision``.
        min_precision: See :func:`~mmdetpre.evaluation.errors.missed.detections_in_use`.
        objects_per_image: Objects of a class per image that precision is normalised to; None: by
            :func:`~mmdetpre.evaluation.errors.normalised_ap.normal_objects`.

    Raises:
        ValueError: If a number is out of its range.
    """

    iou_thr: float = 0.5
    min_iou: float = 0.1
    score_thr: float | None = None
    min_precision: float = MIN_PRECISION
    objects_per_image: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_iou < self.iou_thr <= 1:
            raise ValueError(
                f"iou_thr is {self.iou_thr}, min_iou {self.min_iou}: expected 0 < min_iou < iou_thr <= 1, such as 0.5"
                " and 0.1."
            )
        if not 0 < self.min_precision <= 1:
            raise ValueError(f"min_precision is {self.min_precision}: expected a number above 0 and at most 1.")
        if self.objects_per_image is not None and self.objects_per_image <= 0:
            raise ValueError(f"objects_per_image is {self.objects_per_image}: expected a number above 0, such as 0.15.")


@dataclass(frozen=True)
class RunErrors:
    """Errors of one run.

    Attributes:
        name: Of the run.
        levels: Property -> objects by level.
        types: Its detections by type.
        in_use: Number of detections at the operating point; without any, every object is missed.
    """

    name: str
    levels: Mapping[str, tuple[LevelErrors, ...]]
    types: TypeCounts
    in_use: int


@dataclass(frozen=True)
class ErrorReport:
    """Errors of runs on the same images.

    Attributes:
        runs: One entry per run.
        classes: Class names.
        objects: (C,) number of objects of each class that count.
        images: Number of images.
        occlusion: Where the levels of occlusion come from, in words.
        occlusion_kind: The same: ``annotated``, ``flags`` or ``covered``.
        normal_objects: Objects of a class that precision is normalised to.
        groups: Super-classes that say which classes are similar.
        settings: The settings.
    """

    runs: tuple[RunErrors, ...]
    classes: tuple[str, ...]
    objects: np.ndarray
    images: int
    occlusion: str
    occlusion_kind: str
    normal_objects: float
    groups: Groups
    settings: ErrorSettings

    def rows(self) -> list[tuple[str, str, str, int, list[float | None]]]:
        """All numbers: measure, property, level, objects (or detections of the first run), one share per run."""
        rows: list[tuple[str, str, str, int, list[float | None]]] = []
        first = self.runs[0]
        for measure, field in (("missed", "missed_share"), ("normalised AP", "normalised_ap")):
            for prop, levels in first.levels.items():
                for k, level in enumerate(levels):
                    shares = [getattr(run.levels[prop][k], field) for run in self.runs]
                    rows.append((measure, prop, level.level, level.objects, shares))
        for field, start in (("top_detections", 0), ("top_false_positives", 1)):
            counts = [getattr(run.types, field).sum(axis=0) for run in self.runs]
            for t in range(start, len(TYPE_NAMES)):
                shares = [float(count[t] / count.sum()) if count.sum() else None for count in counts]
                rows.append((field.replace("_", " "), "type", TYPE_NAMES[t], int(counts[0].sum()), shares))
        return rows

    def to_csv(self) -> str:
        """The table as CSV; shares from 0 to 1, empty where there is nothing to divide by."""
        rows: list[list[Any]] = [["measure", "property", "level", "number", *(run.name for run in self.runs)]]
        for *keys, shares in self.rows():
            rows.append([*keys, *("" if share is None else f"{share:.6f}" for share in shares)])
        return csv_text(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the types of errors class by class."""
        return {
            "images": self.images,
            "objects": dict(zip(self.classes, self.objects.tolist(), strict=True)),
            "occlusion": self.occlusion,
            "occlusion_kind": self.occlusion_kind,
            "normal_objects": self.normal_objects,
            "operating_point": self.operating_point(),
            "groups": {name: list(group) for name, group in self.groups.items()},
            "settings": asdict(self.settings),
            "type_names": list(TYPE_NAMES),
            "runs": {
                run.name: {
                    "levels": {
                        prop: [asdict(level) | {"missed_share": level.missed_share} for level in levels]
                        for prop, levels in run.levels.items()
                    },
                    "detections_in_use": run.in_use,
                    "types": {
                        field: dict(zip(self.classes, counts.tolist(), strict=True))
                        for field, counts in run.types._asdict().items()
                    },
                }
                for run in self.runs
            },
        }

    def operating_point(self) -> str:
        """Which detections can find an object, in words."""
        s = self.settings
        if s.score_thr is not None:
            return f"detections with score >= {s.score_thr:g}"
        return (
            f"detections up to normalised precision {s.min_precision:g} of their class"
            f" (as of {self.normal_objects:,.0f} objects)"
        )

    def __str__(self) -> str:
        names = [markdown_text(run.name) for run in self.runs]
        two = len(names) == 2
        heads = ["", "number", *names, *([f"{names[1]} - {names[0]}"] if two else [])]
        table: list[list[str]] = []
        last = ""
        for measure, prop, level, number, shares in self.rows():
            if measure != last:
                table.append([f"**{measure}, %**", *[""] * (len(heads) - 1)])
                last = measure
            cells = ["-" if share is None else f"{100 * share:.1f}" for share in shares]
            if two:
                known = shares[0] is not None and shares[1] is not None
                cells.append(f"{100 * (shares[1] - shares[0]):+.1f}" if known else "-")  # type: ignore[operator]
            table.append([f"{prop} {level}" if prop not in (ALL, "type") else level, f"{number:,}", *cells])
        widths = [max(len(row[i]) for row in [heads, *table]) for i in range(len(heads))]
        lines = [
            _line(heads, widths),
            "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|",
        ]
        lines += [_line(row, widths) for row in table]
        similar = (
            ", ".join(map(markdown_text, self.groups))
            if self.groups
            else "no groups: every other class is an other class"
        )
        return "\n".join(
            [
                *lines,
                "",
                f"{self.images:,} images, {int(self.objects.sum()):,} objects. Found: IoU >= {self.settings.iou_thr:g}."
                f" Missed: by the {self.operating_point()}.",
                f"Occlusion: {self.occlusion}. Similar classes: {similar}.",
                *(
                    f"{run.name} has no detection at the operating point: every object counts as missed."
                    for run in self.runs
                    if not run.in_use
                ),
            ]
        )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))]
    return "| " + " | ".join(padded) + " |"
