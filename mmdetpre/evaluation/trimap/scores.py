"""Scores over the trimap width: of one run, and of several side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mmdetpre.evaluation.trimap.counts import TrimapConfusion, region_scores
from mmdetpre.paper.values import CLASS_GAINS
from mmdetpre.utils.results import Cell, Result, named_results, require_comparable
from mmdetpre.utils.tables import percent, text_table

REGIONS = ("trimap", "anti_trimap")


@dataclass(frozen=True)
class WholeScores:
    """Scores of whole images, from 0 to 1; None where there is nothing to score.

    Attributes:
        pixels: Annotated pixels that are scored.
        accuracy: Part of all pixels that is right.
        mean_iou: Mean over the classes that are in the truth or in the prediction.
        class_pixels: Annotated pixels of each class.
        iou: Intersection over union of each class.
        class_accuracy: Part of each class's pixels that is right.
    """

    pixels: int
    accuracy: float | None = field(metadata={"key": "aAcc"})
    mean_iou: float | None = field(metadata={"key": "mIoU"})
    class_pixels: tuple[int, ...]
    iou: tuple[float | None, ...] = field(metadata={"key": "IoU"})
    class_accuracy: tuple[float | None, ...] = field(metadata={"key": "Acc"})


@dataclass(frozen=True)
class BandScores:
    """The same in the bands of rising widths, or outside of them: one entry per width, see :class:`WholeScores`."""

    pixels: tuple[int, ...]
    accuracy: tuple[float | None, ...] = field(metadata={"key": "aAcc"})
    mean_iou: tuple[float | None, ...] = field(metadata={"key": "mIoU"})
    class_pixels: tuple[tuple[int, ...], ...]
    iou: tuple[tuple[float | None, ...], ...] = field(metadata={"key": "IoU"})
    class_accuracy: tuple[tuple[float | None, ...], ...] = field(metadata={"key": "Acc"})


@dataclass(frozen=True)
class TrimapScores(Result):
    """Scores of one run inside the trimaps of rising widths, outside of them, and on whole images.

    Attributes:
        label: Name of the run.
        boundary: "void" or "label", see :func:`~mmdetpre.evaluation.trimap.counts.boundary_distance`.
        widths: Widths of the trimap, pixels.
        classes: Class names, in the order of the labels.
        images: Number of images.
        without_boundary: How many of them have no boundary.
        whole: Scores of whole images.
        trimap: Scores inside the trimap of each width.
        anti_trimap: Scores outside of it.
    """

    kind: ClassVar[str] = "scores over trimap width"
    label: str
    boundary: str
    widths: tuple[int, ...]
    classes: tuple[str, ...]
    images: int
    without_boundary: int
    whole: WholeScores
    trimap: BandScores
    anti_trimap: BandScores

    @classmethod
    def of_counts(cls, counts: TrimapConfusion, classes: Sequence[str], boundary: str, label: str = "") -> TrimapScores:
        """The scores of counted pixels.

        Args:
            counts: Confusion of all images.
            classes: Class names, in the order of the labels.
            boundary: "void" or "label".
            label: Name of the run.

        Example:
            >>> from mmdetpre.evaluation.trimap.counts import count_image
            >>> counts = count_image(np.array([[0, 255, 1]]), np.array([[0, 0, 1]]), classes=2, widths=(1,))
            >>> TrimapScores.of_counts(counts, ["a", "b"], "void").trimap.mean_iou
            (1.0,)
        """
        bands = {"trimap": counts.inside(), "anti_trimap": counts.outside()}
        return cls(
            label=label,
            boundary=boundary,
            widths=tuple(counts.widths),
            classes=tuple(classes),
            images=counts.images,
            without_boundary=counts.without_boundary,
            whole=WholeScores(**_plain_scores(counts.whole())),
            **{name: BandScores(**_plain_scores(confusion)) for name, confusion in bands.items()},
        )

    def band(self, region: str) -> BandScores:
        """Scores of a region of ``REGIONS``."""
        return {"trimap": self.trimap, "anti_trimap": self.anti_trimap}[region]

    def rows(self) -> list[list[Cell]]:
        """One line per region, width and class: annotated pixels, IoU and accuracy from 0 to 1.

        The class "all" holds mIoU and the part of all pixels that is right. Whole images have no width.
        """
        lines: list[list[Cell]] = [["run", "region", "width", "class", "pixels", "IoU", "accuracy"]]

        def add(region: str, width: Cell, one: WholeScores) -> None:
            classes = zip(self.classes, one.class_pixels, one.iou, one.class_accuracy, strict=True)
            lines.extend([self.label, region, width, *row] for row in classes)
            lines.append([self.label, region, width, "all", one.pixels, one.mean_iou, one.accuracy])

        add("whole", "", self.whole)
        for region in REGIONS:
            band = self.band(region)
            columns = (band.pixels, band.accuracy, band.mean_iou, band.class_pixels, band.iou, band.class_accuracy)
            for width, *values in zip(self.widths, *columns, strict=True):
                add(region, width, WholeScores(*values))
        return lines

    def __str__(self) -> str:
        return f"{self.class_table()}\n\n{self.width_table()}"

    def width_table(self) -> str:
        """Widths x scores of both regions as percentages, those of the whole images in the last line."""
        head = ["width", "trimap, % of pixels", "mIoU", "aAcc", "anti-trimap: mIoU", "aAcc"]
        rows = []
        for i, width in enumerate(self.widths):
            share = self.trimap.pixels[i] / self.whole.pixels if self.whole.pixels else None
            scores = [
                one for region in REGIONS for one in (self.band(region).mean_iou[i], self.band(region).accuracy[i])
            ]
            rows.append([str(width), percent(share), *map(percent, scores)])
        whole = [percent(self.whole.mean_iou), percent(self.whole.accuracy)]
        return text_table(head, rows, ["whole image", "100.00", *whole, "-", "-"])

    def class_table(self) -> str:
        """Classes x IoU as percentages: on whole images, and in both regions at the smallest and the largest width."""
        chosen = sorted({0, len(self.widths) - 1})
        head = ["IoU (%)", "whole", *(f"{_words(name)} {self.widths[i]}" for i in chosen for name in REGIONS)]
        rows = []
        for c, name in enumerate(self.classes):
            parts = [self.band(region).iou[i][c] for i in chosen for region in REGIONS]
            rows.append([name, percent(self.whole.iou[c]), *map(percent, parts)])
        return text_table(head, rows)

    def mean_changes(self) -> list[str]:
        """Which classes are in the means of some widths only, a sentence each: there the curves of the means may jump.

        A class is in a mean if the region holds pixels of it, in the truth or in the prediction.
        """
        changes = []
        for region in REGIONS:
            rows = self.band(region).iou
            for c, name in enumerate(self.classes):
                without = [width for width, row in zip(self.widths, rows, strict=True) if row[c] is None]
                if without and self.whole.iou[c] is not None:
                    listed = ", ".join(map(str, without[:6])) + (", ..." if len(without) > 6 else "")
                    changes.append(
                        f"{_words(region)}: '{name}' has no pixel at width {listed}, so the means there leave it out:"
                        " the curve may jump."
                    )
        return changes


def compare_widths(runs: Sequence[TrimapScores]) -> str:
    """mIoU of every run as a percentage over the width; of each but the first also the difference to the first."""
    tables = []
    for region in REGIONS:
        first = [runs[0].whole.mean_iou, *runs[0].band(region).mean_iou]
        rows = []
        for number, run in enumerate(runs):
            values = [run.whole.mean_iou, *run.band(region).mean_iou]
            rows.append([run.label, *map(percent, values)])
            if number:
                differences = [_difference(a, b) for a, b in zip(values, first, strict=True)]
                rows.append([f"  minus {runs[0].label}", *differences])
        head = [f"{_words(region)} mIoU (%), width", "whole", *map(str, runs[0].widths)]
        tables.append(text_table(head, rows))
    return "\n\n".join(tables)


def compare_classes(run: TrimapScores, first: TrimapScores, width: int) -> str:
    """IoU of each class as a percentage in the trimap of one width and outside, and how much more than ``first`` has.

    The classes with the greatest difference in the trimap come first.

    Args:
        run: A run.
        first: The run that it is compared with.
        width: Width of the trimap, pixels.

    Raises:
        ValueError: If the runs were not evaluated at this width.
    """
    if width not in run.widths:
        raise ValueError(f"The runs have no width {width}: choose one of {', '.join(map(str, run.widths))}.")
    i = run.widths.index(width)
    rows = []
    for c, name in enumerate(run.classes):
        cells = [name]
        for region in REGIONS:
            before, after = (one.band(region).iou[i][c] for one in (first, run))
            cells += [percent(before), percent(after), _difference(after, before)]
        rows.append(cells)
    rows.sort(key=lambda row: -abs(float(row[3])) if row[3] != "-" else 1)
    names = (first.label, run.label, "difference")
    head = [f"IoU (%), width {width}", *(f"{_words(region)}: {name}" for region in REGIONS for name in names)]
    foot = ["mean"]
    for region in REGIONS:
        before, after = (one.band(region).mean_iou[i] for one in (first, run))
        foot += [percent(before), percent(after), _difference(after, before)]
    return text_table(head, rows, foot)


def compare_whole(run: TrimapScores, first: TrimapScores) -> str:
    """IoU of each class as a percentage on whole images, and how much more than ``first`` has, the largest gain first.

    Classes whose gain the paper names (detection over classification pre-training, section on segmentation) have it in
    the last column; ``none`` is not an improvement.

    Args:
        run: A run.
        first: The run that it is compared with, a comparable one.
    """
    of_paper = {name: "none" if gain is None else f"{gain:+.1f}" for name, gain in CLASS_GAINS.items()}
    scores = list(zip(run.classes, first.whole.iou, run.whole.iou, strict=True))
    scores.sort(key=lambda row: np.inf if None in row[1:] else row[1] - row[2])  # type: ignore[operator]
    rows = [[name, percent(a), percent(b), _difference(b, a), of_paper.get(name, "-")] for name, a, b in scores]
    means = [one.whole.mean_iou for one in (first, run)]
    head = ["IoU (%), whole images", first.label, run.label, "difference", "paper"]
    foot = ["mean", *map(percent, means), _difference(means[1], means[0]), "-"]
    if not any(row[-1] != "-" for row in rows):  # other classes than the paper's
        head, rows, foot = head[:-1], [row[:-1] for row in rows], foot[:-1]
    return text_table(head, rows, foot)


def read_runs(arguments: Sequence[str]) -> list[TrimapScores]:
    """The comparable runs of ``NAME=FILE`` arguments.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If an argument has another form, two runs have one name, a file is of another kind, or the runs
            were not evaluated in the same way on the same images.

    Example:
        >>> read_runs(["ImageNet=work_dirs/a/trimap.json", "COCO=work_dirs/b/trimap.json"])  # doctest: +SKIP
    """
    runs = named_results(arguments, TrimapScores, "scratch=trimap.json", WRITER)
    facts = {
        "widths": lambda run: run.widths,
        "boundary": lambda run: run.boundary,
        "classes": lambda run: run.classes,
        "annotated pixels (another split?)": lambda run: (run.whole.class_pixels, run.trimap.pixels),
    }
    require_comparable(runs, facts, "Test both with the same settings of TrimapIoUMetric on the same images.")
    return runs


WRITER = "mmdetpre.TrimapIoUMetric(outfile_prefix=...)"
"""What writes files of these scores, for messages."""


def _plain_scores(confusion: np.ndarray) -> dict[str, Any]:
    scores = region_scores(confusion)
    names = ("pixels", "accuracy", "mean_iou", "class_pixels", "iou", "class_accuracy")
    return {name: _plain(getattr(scores, name).tolist()) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_plain, value))
    return None if math.isnan(value) else value


def _words(region: str) -> str:
    return region.replace("_", "-")


def _difference(value: float | None, first: float | None) -> str:
    return "-" if value is None or first is None else f"{100 * (value - first):+.2f}"
