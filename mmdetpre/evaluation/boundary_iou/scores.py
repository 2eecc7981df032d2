"""Boundary IoU of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mmdetpre.evaluation.boundary_iou.counts import BoundaryAreas
from mmdetpre.evaluation.label_maps.class_scores import class_mean
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import percent, text_table


@dataclass(frozen=True)
class BoundaryScores(Result):
    """Scores of one run, from 0 to 1; None where there is nothing to score.

    Attributes:
        label: Name of the run.
        dilation_ratio: Width of the boundary as a fraction of the image's diagonal.
        images: Number of images.
        classes: Class names, in the order of the labels.
        pixels: Annotated pixels of each class.
        boundary_pixels: Those near the contours.
        iou: IoU of each class's whole masks.
        boundary_iou: Boundary IoU of each class.
        mean_iou: Mean over the classes that are in the truth or in the prediction.
        mean_boundary_iou: Likewise.
    """

    kind: ClassVar[str] = "Boundary IoU"
    label: str
    dilation_ratio: float
    images: int
    classes: tuple[str, ...]
    pixels: tuple[int, ...]
    boundary_pixels: tuple[int, ...]
    iou: tuple[float | None, ...] = field(metadata={"key": "IoU"})
    boundary_iou: tuple[float | None, ...] = field(metadata={"key": "boundary_IoU"})
    mean_iou: float | None = field(metadata={"key": "mIoU"})
    mean_boundary_iou: float | None = field(metadata={"key": "boundary_mIoU"})

    @classmethod
    def of_areas(
        cls, areas: BoundaryAreas, classes: Sequence[str], dilation_ratio: float, label: str = ""
    ) -> BoundaryScores:
        """The scores of measured areas.

        Args:
            areas: Areas of all images.
            classes: Class names, in the order of the labels.
            dilation_ratio: Width of the boundary as a fraction of the image's diagonal.
            label: Name of the run.
        """
        boundary, whole = areas.boundary_iou(), areas.mask_iou()
        return cls(
            label=label,
            dilation_ratio=dilation_ratio,
            images=areas.images,
            classes=tuple(classes),
            pixels=tuple(areas.whole[1].tolist()),
            boundary_pixels=tuple(areas.boundary[1].tolist()),
            iou=tuple(map(_plain, whole.tolist())),
            boundary_iou=tuple(map(_plain, boundary.tolist())),
            mean_iou=_plain(float(class_mean(whole))),
            mean_boundary_iou=_plain(float(class_mean(boundary))),
        )

    def rows(self) -> list[list[Cell]]:
        """One line per class, and for "all" the means: annotated pixels, and IoU from 0 to 1."""
        columns = zip(self.classes, self.boundary_pixels, self.pixels, self.boundary_iou, self.iou, strict=True)
        totals = [sum(self.boundary_pixels), sum(self.pixels)]
        return [
            ["run", "class", "boundary_pixels", "pixels", "boundary_IoU", "IoU"],
            *([self.label, *row] for row in columns),
            [self.label, "all", *totals, self.mean_boundary_iou, self.mean_iou],
        ]

    def __str__(self) -> str:
        """Classes x IoU as percentages of boundary regions and of whole masks, the means in the last line."""
        head = [f"IoU (%), {100 * self.dilation_ratio:g} % of diagonal", "boundary, % of pixels", "boundary", "mask"]
        *rows, mean = (
            [name, percent(near / pixels if pixels else None), percent(boundary), percent(whole)]  # type: ignore[operator,arg-type]
            for _, name, near, pixels, boundary, whole in self.rows()[1:]
        )
        return text_table(head, rows, ["mean", *mean[1:]])


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
