"""The numbers of an error analysis, as a table, CSV or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from mmdetpre.evaluation.errors.class_groups import Groups
from mmdetpre.evaluation.errors.false_positives import TYPE_NAMES, TypeCounts
from mmdetpre.evaluation.errors.missed import MIN_PRECISION, LevelErrors
from mmdetpre.utils.plain_text import one_line
from mmdetpre.utils.results import Cell, Json, Result
from mmdetpre.utils.tables import text_table

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
        objects_per_image: Objects of a class per image that precision is normalized to; None: by
            :func:`~mmdetpre.evaluation.errors.normalized_ap.normal_objects`.

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

    def to_dict(self, classes: Sequence[str]) -> dict[str, Json]:
        """Plain values, types by class name.

        Args:
            classes: Class names.
        """
        return {
            "levels": {
                prop: [asdict(level) | {"missed_share": level.missed_share} for level in levels]
                for prop, levels in self.levels.items()
            },
            "detections_in_use": self.in_use,
            "types": {
                field: dict(zip(classes, counts.tolist(), strict=True))
                for field, counts in self.types._asdict().items()
            },
        }

    @classmethod
    def from_dict(cls, name: str, values: Mapping[str, Any], classes: Sequence[str]) -> RunErrors:
        """The errors of :meth:`to_dict`.

        Args:
            name: Of the run.
            values: Plain values.
            classes: Class names.
        """
        levels = {
            prop: tuple(
                LevelErrors(
                    str(one["level"]),
                    int(one["objects"]),
                    int(one["missed"]),
                    one.get("normalized_ap", one.get(_BEFORE)),
                )
                for one in rows
            )
            for prop, rows in values["levels"].items()
        }
        types = {
            field: np.array([counts[name] for name in classes], np.int64).reshape(-1, len(TYPE_NAMES))
            for field, counts in values["types"].items()
        }
        return cls(name, levels, TypeCounts(**types), int(values["detections_in_use"]))


_BEFORE = "normalised_ap"
"""Key in files of earlier versions."""


@dataclass(frozen=True)
class ErrorReport(Result):
    """Errors of runs on the same images.

    Attributes:
        runs: One entry per run.
        classes: Class names.
        objects: (C,) number of objects of each class that count.
        images: Number of images.
        occlusion: Where the levels of occlusion come from, in words.
        occlusion_kind: The same: ``annotated``, ``flags`` or ``covered``.
        normal_objects: Objects of a class that precision is normalized to.
        groups: Super-classes that say which classes are similar.
        settings: The settings.
    """

    kind: ClassVar[str] = "errors of detections"
    alone: ClassVar[bool] = True
    runs: tuple[RunErrors, ...]
    classes: tuple[str, ...]
    objects: np.ndarray
    images: int
    occlusion: str
    occlusion_kind: str
    normal_objects: float
    groups: Groups
    settings: ErrorSettings

    def shares(self) -> list[tuple[str, str, str, int, list[float | None]]]:
        """All numbers: measure, property, level, objects (or detections of the first run), one fraction per run."""
        found: list[tuple[str, str, str, int, list[float | None]]] = []
        first = self.runs[0]
        for measure, field in (("missed", "missed_share"), ("normalized AP", "normalized_ap")):
            for prop, levels in first.levels.items():
                for k, level in enumerate(levels):
                    values = [getattr(run.levels[prop][k], field) for run in self.runs]
                    found.append((measure, prop, level.level, level.objects, values))
        for field, start in (("top_detections", 0), ("top_false_positives", 1)):
            counts = [getattr(run.types, field).sum(axis=0) for run in self.runs]
            for t in range(start, len(TYPE_NAMES)):
                values = [float(count[t] / count.sum()) if count.sum() else None for count in counts]
                found.append((field.replace("_", " "), "type", TYPE_NAMES[t], int(counts[0].sum()), values))
        return found

    def rows(self) -> list[list[Cell]]:
        """One line per measure and level, one column per run; fractions, empty where there is nothing to divide by."""
        head: list[Cell] = ["measure", "property", "level", "number", *(run.name for run in self.runs)]
        return [head, *([*row[:-1], *row[-1]] for row in self.shares())]

    def to_dict(self) -> dict[str, Json]:
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
            "runs": {run.name: run.to_dict(self.classes) for run in self.runs},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ErrorReport:
        """The report of :meth:`to_dict`.

        Raises:
            ValueError: If a value lacks or has another type.
        """
        try:
            classes = tuple(values["objects"])
            return cls(
                runs=tuple(RunErrors.from_dict(name, run, classes) for name, run in values["runs"].items()),
                classes=classes,
                objects=np.array([values["objects"][name] for name in classes], np.int64),
                images=int(values["images"]),
                occlusion=str(values["occlusion"]),
                occlusion_kind=str(values["occlusion_kind"]),
                normal_objects=float(values["normal_objects"]),
                groups={str(name): tuple(group) for name, group in values["groups"].items()},
                settings=ErrorSettings(**values["settings"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def operating_point(self) -> str:
        """Which detections can find an object, in words."""
        s = self.settings
        if s.score_thr is not None:
            return f"detections with score >= {s.score_thr:g}"
        return (
            f"detections up to normalized precision {s.min_precision:g} of their class"
            f" (as of {self.normal_objects:,.0f} objects)"
        )

    def __str__(self) -> str:
        two = len(self.runs) == 2
        first, last = self.runs[0].name, self.runs[-1].name
        head = ["%", "number", *(run.name for run in self.runs), *([f"{last} - {first}"] if two else [])]
        table: list[list[str]] = []
        measure = ""
        for name, prop, level, number, values in self.shares():
            if name != measure:
                table.append([name, *[""] * (len(head) - 1)])
                measure = name
            cells = ["-" if value is None else f"{100 * value:.1f}" for value in values]
            if two:
                before, after = values
                cells.append("-" if before is None or after is None else f"{100 * (after - before):+.1f}")
            table.append([f"  {level if prop in (ALL, 'type') else f'{prop} {level}'}", f"{number:,}", *cells])
        similar = ", ".join(self.groups) if self.groups else "no groups: every other class is an other class"
        return "\n".join(
            [
                text_table(head, table),
                "",
                f"{self.images:,} images, {int(self.objects.sum()):,} objects. Found: IoU >= {self.settings.iou_thr:g}."
                f" Missed: by the {self.operating_point()}.",
                f"Occlusion: {self.occlusion}. Similar classes: {one_line(similar)}.",
                *(
                    f"{one_line(run.name)} has no detection at the operating point: every object counts as missed."
                    for run in self.runs
                    if not run.in_use
                ),
            ]
        )
