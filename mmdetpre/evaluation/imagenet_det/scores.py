"""Average precision of ILSVRC's detection task, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table


@dataclass(frozen=True)
class DETScores(Result):
    """AP of one run.

    Attributes:
        classes: Names of the classes that are evaluated.
        objects: Boxes of each class.
        detections: Detections of each class.
        ap: From 0 to 1; None where a class has no box.
        mapped: Whether a class of the model maps to it.
    """

    kind: ClassVar[str] = "AP of ILSVRC's detection task"
    classes: tuple[str, ...]
    objects: tuple[int, ...]
    detections: tuple[int, ...]
    ap: tuple[float | None, ...]
    mapped: tuple[bool, ...]

    @classmethod
    def of_arrays(
        cls, classes: Sequence[str], objects: np.ndarray, detections: np.ndarray, ap: np.ndarray, mapped: np.ndarray
    ) -> DETScores:
        """The scores of arrays (C,); NaN where a class has no box.

        Args:
            classes: Names of the classes.
            objects: Boxes of each class.
            detections: Detections of each class.
            ap: AP of each class.
            mapped: Whether a class of the model maps to it.
        """
        values = tuple(None if math.isnan(value) else float(value) for value in ap)
        boxes, found = (tuple(map(int, column)) for column in (objects, detections))
        return cls(tuple(classes), boxes, found, values, tuple(map(bool, mapped)))

    def metrics(self) -> dict[str, float]:
        """``mAP`` over the classes that have boxes, ``mAP_mapped`` over those that a class of the model maps to.

        ``classes`` is the number of the former.
        """
        known = [(value, mapped) for value, mapped in zip(self.ap, self.mapped, strict=True) if value is not None]
        of_model = [value for value, mapped in known if mapped]
        return {
            "mAP": float(np.mean([value for value, _ in known])),
            "mAP_mapped": float(np.mean(of_model)) if of_model else 0.0,
            "classes": len(known),
        }

    def rows(self) -> list[list[Cell]]:
        """One line per class that has boxes."""
        columns = zip(self.classes, self.objects, self.detections, self.ap, strict=True)
        return [["class", "boxes", "detections", "AP"], *([*row] for row in columns if row[1])]

    def __str__(self) -> str:
        head, *rows = self.rows()
        return text_table(head, [[*row[:-1], f"{row[-1]:.3f}"] for row in rows])
