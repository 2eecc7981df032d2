"""AP over IoU thresholds: of one run, and of several side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mmdetpre.evaluation.voc_ap.average_precision import VOCResult
from mmdetpre.utils.results import Cell, Result, require_comparable
from mmdetpre.utils.tables import text_table

WRITER = "mmdetpre.VOCIoUMetric(outfile_prefix=...)"
"""What writes files of these scores, for messages."""


def iou_key(iou: float) -> str:
    """Name of a threshold's result: AP50 for 0.5, AP55 for 0.55, AP52.5 for 0.525.

    Example:
        >>> iou_key(0.7), iou_key(0.29), iou_key(0.525)
        ('AP70', 'AP29', 'AP52.5')
    """
    return f"AP{round(100 * iou, 6):02g}"


@dataclass(frozen=True)
class ClassAP:
    """AP of one class.

    Attributes:
        name: Of the class.
        objects: Boxes that count.
        detections: Detections of the class.
        ap: At each threshold, from 0 to 1; None where the class has no box.
        recall: Likewise.
    """

    name: str
    objects: int
    detections: int
    ap: tuple[float | None, ...]
    recall: tuple[float | None, ...]


@dataclass(frozen=True)
class VOCScores(Result):
    """AP of one run over IoU thresholds.

    Attributes:
        label: Name of the run.
        mode: "11points" or "area".
        plus_one: Whether sides are x2 - x1 + 1.
        iou_thrs: The thresholds.
        mean_ap: Mean over the classes at each threshold, from 0 to 1; None without any box.
        classes: AP of each class.
    """

    kind: ClassVar[str] = "AP over IoU"
    label: str
    mode: str
    plus_one: bool
    iou_thrs: tuple[float, ...]
    mean_ap: tuple[float | None, ...]
    classes: tuple[ClassAP, ...]

    @classmethod
    def of_result(cls, result: VOCResult, label: str = "") -> VOCScores:
        """The scores of a result in arrays.

        Args:
            result: Of :func:`~mmdetpre.evaluation.voc_ap.average_precision.voc_average_precision`.
            label: Name of the run.
        """
        columns = (result.classes, result.objects, result.detections, result.ap, result.recall)
        return cls(
            label=label,
            mode=result.mode,
            plus_one=result.plus_one,
            iou_thrs=tuple(map(float, result.iou_thrs)),
            mean_ap=_plain(result.mean_ap),
            classes=tuple(
                ClassAP(name, int(objects), int(detections), _plain(ap), _plain(recall))
                for name, objects, detections, ap, recall in zip(*columns, strict=True)
            ),
        )

    def rows(self) -> list[list[Cell]]:
        """One line per class, and the mean: run, class, boxes, detections, one column per threshold (0 to 1)."""
        totals = [sum(one.objects for one in self.classes), sum(one.detections for one in self.classes)]
        return [
            ["run", "class", "boxes", "detections", *map(iou_key, self.iou_thrs)],
            *([self.label, one.name, one.objects, one.detections, *one.ap] for one in self.classes),
            [self.label, "mean", *totals, *self.mean_ap],
        ]

    def __str__(self) -> str:
        """Classes x thresholds as percentages, the mean in the last line."""
        head = ["AP (%) at IoU", "boxes", "detections", *(f"{iou:g}" for iou in self.iou_thrs)]
        *rows, mean = ([*row[1:4], *_cells(row[4:])] for row in self.rows()[1:])  # type: ignore[arg-type]
        return text_table(head, rows, mean)


def require_same_test(runs: Sequence[VOCScores]) -> None:
    """Check that all runs have the thresholds, metric, classes and boxes of the first.

    Raises:
        ValueError: If the runs were not evaluated in the same way on the same boxes.
    """
    facts = {
        "IoU thresholds": lambda run: list(run.iou_thrs),
        "metric (mode and plus_one)": lambda run: (run.mode, run.plus_one),
        "classes": lambda run: [one.name for one in run.classes],
        "numbers of boxes per class (another split?)": lambda run: [one.objects for one in run.classes],
    }
    require_comparable(runs, facts, "Evaluate both in the same way on the same images.")


def compare(runs: Sequence[VOCScores]) -> str:
    """Mean AP of every run as a percentage; of each but the first also the difference to the first."""
    first = runs[0].mean_ap
    rows = [[runs[0].label, *_cells(first)]]
    for run in runs[1:]:
        rows.append([run.label, *_cells(run.mean_ap)])
        pairs = zip(run.mean_ap, first, strict=True)
        gains = ["-" if a is None or b is None else f"{100 * (a - b):+.1f}" for a, b in pairs]
        rows.append([f"  minus {runs[0].label}", *gains])
    return text_table(["mAP (%) at IoU", *(f"{iou:g}" for iou in runs[0].iou_thrs)], rows)


def _plain(values: Any) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(value) else float(value) for value in values)


def _cells(values: Sequence[float | None]) -> list[str]:
    return ["-" if value is None else f"{100 * value:.1f}" for value in values]
