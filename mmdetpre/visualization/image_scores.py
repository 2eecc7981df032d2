"""The numbers beside a picture that compares runs on the same images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table
from mmdetpre.visualization.classified_images import ClassifiedImage
from mmdetpre.visualization.compared_runs import ComparedImage
from mmdetpre.visualization.segmentation_panels import SegmentedImage


@dataclass(frozen=True)
class ImageScores(Result):
    """A score of each run in each of the images that a picture shows.

    Attributes:
        measure: What is scored, in words.
        runs: Names of the runs.
        images: Names of the images, in the order of the picture.
        values: Per image, a value per run; None where there is none.
    """

    kind: ClassVar[str] = "scores of compared images"
    alone: ClassVar[bool] = True
    measure: str
    runs: tuple[str, ...]
    images: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]

    def rows(self) -> list[list[Cell]]:
        """One line per image, one column per run."""
        return [["image", *self.runs], *([name, *row] for name, row in zip(self.images, self.values, strict=True))]

    def __str__(self) -> str:
        cells = [["-" if value is None else f"{value:.4g}" for value in row] for row in self.values]
        rows = [[name, *row] for name, row in zip(self.images, cells, strict=True)]
        return text_table([self.measure, *self.runs], rows)


def detection_scores(images: Sequence[ComparedImage], runs: Sequence[str]) -> ImageScores:
    """Objects that each run finds in each image.

    Args:
        images: Of :func:`~mmdetpre.visualization.compare_runs.compare_runs`.
        runs: Names of the runs.
    """
    values = ((math.nan if run.found is None else run.found for run in image.runs) for image in images)
    return _scores("objects found", runs, images, values)


def segmentation_scores(images: Sequence[SegmentedImage], runs: Sequence[str]) -> ImageScores:
    """mIoU of each run in each image, from 0 to 1.

    Args:
        images: Of :func:`~mmdetpre.visualization.segmentation_runs.compare_segmentations`.
        runs: Names of the runs.
    """
    return _scores("mIoU of the image", runs, images, (image.scores for image in images))


def classification_scores(images: Sequence[ClassifiedImage], runs: Sequence[str]) -> ImageScores:
    """Probability of the true class by each run in each image.

    Args:
        images: Of :func:`~mmdetpre.visualization.classified_images.compare_classifications`.
        runs: Names of the runs.
    """
    values = ((one.true_score for one in image.labels) for image in images)
    return _scores("probability of the true class", runs, images, values)


def _scores(
    measure: str,
    runs: Sequence[str],
    images: Sequence[ComparedImage | SegmentedImage | ClassifiedImage],
    values: Iterable[Iterable[float]],
) -> ImageScores:
    """Values per image and run, NaN where there is none."""
    rows = tuple(tuple(None if math.isnan(one) else float(one) for one in row) for row in values)
    return ImageScores(measure, tuple(runs), tuple(image.name for image in images), rows)
