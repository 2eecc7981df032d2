"""Numbers of the tables from the test of a run that was trained, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmdetpre.evaluation.bootstrap.resampled import Resampled
from mmdetpre.results.run_table import TrainingRun
from mmdetpre.study.detection_scores import average_precisions
from mmdetpre.study.kinds import KINDS
from mmdetpre.study.records import Cell, Part
from mmdetpre.study.runs.parts import coco_parts
from mmdetpre.study.runs.resamples import (
    Resamples,
    classification_resamples,
    detection_resamples,
    segmentation_resamples,
)
from mmdetpre.study.runs.run_folder import Job

if TYPE_CHECKING:
    from mmdetpre.evaluation.errors.missed import LevelErrors

TRIMAP_WIDTH = 10
"""Width in pixels of the band of Table 4's trimap columns; the greatest below, where it was not measured."""


class Scores(NamedTuple):
    """What the test of a run gave: cells of tables, notes, and numbers by class and by size."""

    cells: list[Cell]
    notes: list[str]
    parts: list[Part]


def test_scores(run: TrainingRun) -> dict[str, float]:
    """What the test of a run gave, by the names of the toolbox."""
    return {name: parts["test"] for name, parts in run.metrics.items() if "test" in parts}


def classification_cells(job: Job, run: TrainingRun) -> Scores:
    """Table 5: accuracy in percent."""
    table, column = KINDS[job.kind].table, job.settings["column"]
    (resamples, parts), notes = _try(classification_resamples, job)
    cell = Cell(table, "", job.init, column, test_scores(run)["accuracy/top1"], resampled=resamples.get(""))
    return Scores([cell], notes, parts)


def segmentation_cells(job: Job, run: TrainingRun) -> Scores:
    """Table 4: mIoU of whole images, in the trimap and outside of it."""
    scores = test_scores(run)
    widths = sorted(int(name.rsplit("_", 1)[1]) for name in scores if name.startswith("trimap/mIoU_"))
    width = max((w for w in widths if w <= TRIMAP_WIDTH), default=widths[0])
    names = {"miou": "whole_mIoU", "trimap": f"mIoU_{width}", "anti_trimap": f"anti_mIoU_{width}"}
    (resamples, parts), notes = _try(segmentation_resamples, job, width)
    values = {column: scores[f"trimap/{name}"] for column, name in names.items()}
    cells = _cells(job, KINDS[job.kind].table, values, resamples=resamples)
    return Scores(cells, [f"Trimap columns: {width} pixels on each side of the boundary.", *notes], parts)


def detection_cells(job: Job, run: TrainingRun) -> Scores:
    """Tables 2 and 3; of another metric than the paper's all average precisions."""
    settings, scores = job.settings, test_scores(run)
    if "table" in settings:
        return Scores(_cells(job, settings["table"], average_precisions(scores)), [], coco_parts(scores))
    table_2 = {f"ap{iou}": 100 * scores[f"pascal_voc/AP{iou}"] for iou in (50, 70)}
    group, missed, notes = missed_objects(job.folder / "test" / "results.npz", job.init, settings.get("occlusion"))
    (resamples, parts), more = _try(detection_resamples, job)
    cells = _cells(job, KINDS[job.kind].table, table_2, resamples=resamples)
    return Scores([*cells, *_cells(job, "3", missed, group)], [*notes, *more], parts)


def _cells(
    job: Job,
    table: str,
    values: Mapping[str, float | None],
    group: str = "",
    resamples: Mapping[str, Resampled | None] | None = None,
) -> list[Cell]:
    """Cells of the row of the run's initialization; a table of the task's own is named in the column."""
    task = job.settings.get("rows_of", job.run["task"])
    own, resamples = f"{task}." if job.settings.get("own_table") else "", resamples or {}
    return [
        Cell(table, group, job.init, f"{own}{column}", value, resampled=resamples.get(column))
        for column, value in values.items()
    ]


def _try(resample: Callable[..., Resamples], job: Job, *arguments: object) -> tuple[Resamples, list[str]]:
    """What could be resampled; a run whose score is there does not fail for the lack of an interval."""
    try:
        return resample(job, *arguments), []
    except (OSError, ValueError) as error:
        return Resamples({}, []), [f"No interval over the test images, no numbers by class: {error}"]


def missed_objects(file: Path, name: str, occlusion: str | None) -> tuple[str, dict[str, float | None], list[str]]:
    """Share of the missed objects in percent.

    Levels that people annotated fill the paper's columns. Flags and overlapping boxes say something else, and go to a
    group of their own. Where no detection reaches the operating point, nothing is said.

    Args:
        file: Detections that `mmdetpre.VOCIoUMetric` wrote.
        name: What the notes call them.
        occlusion: File or folder of annotated levels of occlusion; None: those of flags or boxes.

    Returns:
        Group of Table 3, share by column, and what has to be said about it.
    """
    from mmdetpre.evaluation.detections.detections import Detections
    from mmdetpre.evaluation.errors.analyse import detection_errors
    from mmdetpre.evaluation.errors.report import ANNOTATED, HIDDEN, OCCLUSION

    report = detection_errors({name: Detections.load(file)}, occlusion=occlusion or "auto")
    run = report.runs[0]
    columns: dict[str, Sequence[LevelErrors]]
    if report.occlusion_kind == ANNOTATED:
        group, columns = "", {level.level: (level,) for level in run.levels[HIDDEN]}
        rule = ". Low and medium: hidden by that much or more, or truncated, as the software of Hoiem et al. counts"
    else:
        levels = run.levels[OCCLUSION]
        group, columns, rule = report.occlusion_kind, {"visible": levels[:1], "occluded": levels[1:]}, ""

    def share(of: Sequence[LevelErrors]) -> float | None:
        objects = sum(level.objects for level in of)
        return 100 * sum(level.missed for level in of) / objects if objects and run.in_use else None

    point = f"Missed by the {report.operating_point()}."
    if not run.in_use:
        point = f"{name}: there are no {report.operating_point()}, so nothing is said of missed objects."
    notes = [f"Table 3: Occlusion: {report.occlusion}{rule}.", f"Table 3: {point}"]
    return group, {column: share(of) for column, of in columns.items()}, notes
