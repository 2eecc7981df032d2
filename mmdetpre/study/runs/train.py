"""Runs that train: pre-training, and the transfer to detection, segmentation and classification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.compat.toolbox_commands import testing_command, training_command
from mmdetpre.results.run_table import TrainingRun as Run
from mmdetpre.results.run_table import read_run
from mmdetpre.study.detection_scores import average_precisions
from mmdetpre.study.layout import config_path, work_dir
from mmdetpre.study.runs.checkpoints import last_checkpoint, weights_id
from mmdetpre.study.runs.proposal_origin import proposals_id
from mmdetpre.study.runs.run_folder import Job
from mmdetpre.transfer.backbone_init import chosen_init
from mmdetpre.utils.bounded_files import file_sha256

TRIMAP_WIDTH = 10
"""Width in pixels of the band of Table 4's trimap columns; the greatest below, where it was not measured."""


def train_and_test(job: Job) -> dict[str, Any]:
    """Train the run's config by ``mim train``, go on where an earlier start stopped, test it by ``mim test``.

    A run that is a pre-training under another name (``tested``) only tests the checkpoint of that.

    Returns:
        Checkpoint, load of the backbone and cells, for the record.

    Raises:
        RunFailed: If a command fails.
    """
    settings = job.settings
    trained = str(settings.get("tested", job.id))
    toolbox, config = str(settings["toolbox"]), config_path(job.out, trained)
    if trained == job.id:
        checkpoint = train(job)
    else:
        checkpoint = last_checkpoint(work_dir(job.out, trained))
        job.claim({"checkpoint": file_sha256(checkpoint)})
    notes: list[str] = []
    if job.run["kind"] == "pretraining":
        run = read_run(job.folder)
        cells = _own_scores(run, toolbox, str(job.run["start"]))
    else:
        flags = ["--tta"] if settings.get("tta") else []
        if job.run["kind"] == "segmentation":
            flags += ["--out", str(job.folder / "test" / "maps")]
        run = tested(job, toolbox, config, checkpoint, *flags)
        cells, notes = _cells(job, run)
        if trained != job.id:
            run, notes = read_run(work_dir(job.out, trained)), [*notes, f"Its training is the run {trained}."]
    return record(checkpoint, run, cells, notes)


def tested(job: Job, toolbox: str, config: Path, checkpoint: Path, *flags: str) -> Run:
    """Test by ``mim test``, in the folder ``test`` of the run.

    Args:
        job: The job.
        toolbox: "mmdet", "mmseg" or "mmpretrain".
        config: The config of the run.
        checkpoint: The checkpoint to test.
        *flags: Further arguments of the command.

    Returns:
        The run with the metrics of this test.
    """
    test = job.folder / "test"
    job.command(*testing_command(toolbox, config, checkpoint, "--work-dir", test, *flags, *job.launch))
    return read_run(job.folder)


def record(checkpoint: Path, run: Run, cells: list[dict[str, Any]], notes: Sequence[str] = ()) -> dict[str, Any]:
    """What a run that trained or tested leaves in its record.

    Args:
        checkpoint: The checkpoint that was trained or tested.
        run: What was read from the run.
        cells: Values for the tables of the report.
        notes: What the reader of the report should know.
    """
    load = {"verdict": run.verdict, "digest": run.digest, "source": run.backbone} if run.verdict else None
    return {
        "checkpoint": {"file": str(checkpoint), "sha256": file_sha256(checkpoint)},
        "load": load,
        "cells": cells,
        "figure": None,
        "notes": list(notes),
    }


def score_pretraining(job: Job) -> dict[str, Any]:
    """Test a pre-trained detector on its own data, at all scales where its config has some.

    Returns:
        Cells of the table of pre-trainings: ``test_map`` where the metric is COCO's, else ``test_ap50``.

    Raises:
        RunFailed: If the test fails.
        ValueError: If it gave no average precision.
    """
    settings = job.settings
    trained = work_dir(job.out, settings["tested"])
    checkpoint = last_checkpoint(trained)
    job.claim({"checkpoint": file_sha256(checkpoint)})
    flags = ["--tta"] if settings["tta"] else []
    run = tested(job, settings["toolbox"], config_path(job.out, settings["tested"]), checkpoint, *flags)
    found = _test_scores(run)
    coco = any(name.startswith("coco/") for name in run.metrics)
    column, value = ("map", found.get("map")) if coco else ("ap50", found.get("ap50", found.get("map")))
    scales = "all scales" if settings["tta"] else "one scale"
    cells = [_cell("pretraining", str(job.run["start"]), f"test_{column}", value)]
    return record(checkpoint, run, cells, [f"Tested at {scales}."])


def _test_scores(run: Run) -> dict[str, float | None]:
    return average_precisions({name: kinds["test"] for name, kinds in run.metrics.items() if "test" in kinds})


def train(job: Job) -> Path:
    """Train the run's config by ``mim train``, unless that is done; go on where an earlier start stopped.

    Returns:
        The checkpoint.

    Raises:
        RunFailed: If the command fails.
        ValueError: If the run's proposals are those of another run.
    """
    from mmengine.config import Config

    config = config_path(job.out, job.id)
    start = chosen_init(Config.fromfile(config, import_custom_modules=False)) or {}
    made_of = {"config": job.settings["config_digest"], "backbone": weights_id(start.get("checkpoint"), job.root)}
    if proposals := job.settings.get("proposals"):
        made_of["proposals"] = proposals_id(job, proposals, made_of["backbone"])
    if not job.claim(made_of).get("trained"):
        resume = ["--resume"] if newest_whole(job.folder).path else []
        arguments = ["--work-dir", job.folder, *resume, *job.launch]
        job.command(*training_command(job.settings["toolbox"], config, *arguments))
        job.note(trained=True)
    return last_checkpoint(job.folder)


def _own_scores(run: Run, toolbox: str, start: str) -> list[dict[str, Any]]:
    """What a pre-training reached on its own data, in its last validation."""
    factor = 100 if toolbox == "mmdet" else 1
    return [
        _cell("pretraining", start, name, factor * kinds["last"])
        for name, kinds in run.metrics.items()
        if "last" in kinds and any(word in name for word in ("mAP", "AP50", "mIoU", "top1"))
    ]


def _cells(job: Job, run: Run) -> tuple[list[dict[str, Any]], list[str]]:
    start, settings = str(job.run["start"]), job.settings
    prefix = f"{job.run['task']}." if settings.get("own_table") else ""
    results = job.folder / "test" / "results"
    if job.run["kind"] == "classification":
        return [_cell("5", start, settings["column"], run.metrics["accuracy/top1"]["test"])], []
    if job.run["kind"] == "segmentation":
        return _trimap_cells(run, start, prefix)
    if "table" in settings:
        scores = _test_scores(run)
        return [_cell(settings["table"], start, f"{prefix}{column}", value) for column, value in scores.items()], []
    cells = [
        _cell("2", start, f"{prefix}ap{iou}", 100 * run.metrics[f"pascal_voc/AP{iou}"]["test"]) for iou in (50, 70)
    ]
    group, missed, notes = _missed(results.with_suffix(".npz"), start, settings.get("occlusion"))
    table_3 = [_cell("3", start, f"{prefix}{column}", value) | {"group": group} for column, value in missed.items()]
    return cells + table_3, notes


def _trimap_cells(run: Run, start: str, prefix: str) -> tuple[list[dict[str, Any]], list[str]]:
    tested = {name: kinds["test"] for name, kinds in run.metrics.items() if "test" in kinds}
    widths = sorted(int(name.rsplit("_", 1)[1]) for name in tested if name.startswith("trimap/mIoU_"))
    width = max((w for w in widths if w <= TRIMAP_WIDTH), default=widths[0])
    names = {"miou": "whole_mIoU", "trimap": f"mIoU_{width}", "anti_trimap": f"anti_mIoU_{width}"}
    cells = [_cell("4", start, f"{prefix}{column}", tested[f"trimap/{name}"]) for column, name in names.items()]
    return cells, [f"Trimap columns: {width} pixels on each side of the boundary."]


def _missed(file: Path, start: str, occlusion: str | None) -> tuple[str, dict[str, float | None], list[str]]:
    """Share of the missed objects in percent: group of Table 3, share by column, and what has to be said about it.

    Levels that people annotated fill the paper's columns. Flags and overlapping boxes say something else, and go to a
    group of their own. Where no detection reaches the operating point, nothing is said.
    """
    from mmdetpre.evaluation.detections.detections import Detections
    from mmdetpre.evaluation.errors.analyse import detection_errors
    from mmdetpre.evaluation.errors.report import ANNOTATED, HIDDEN, OCCLUSION

    report = detection_errors({start: Detections.load(file)}, occlusion=occlusion or "auto")
    run = report.runs[0]
    columns: dict[str, Any]
    if report.occlusion_kind == ANNOTATED:
        group, columns = "", {level.level: (level,) for level in run.levels[HIDDEN]}
        rule = ". Low and medium: hidden by that much or more, or truncated, as the software of Hoiem et al. counts"
    else:
        levels = run.levels[OCCLUSION]
        group, columns, rule = report.occlusion_kind, {"visible": levels[:1], "occluded": levels[1:]}, ""

    def share(of: Any) -> float | None:
        objects = sum(level.objects for level in of)
        return 100 * sum(level.missed for level in of) / objects if objects and run.in_use else None

    point = f"Missed by the {report.operating_point()}."
    if not run.in_use:
        point = f"{start}: there are no {report.operating_point()}, so nothing is said of missed objects."
    notes = [f"Table 3: Occlusion: {report.occlusion}{rule}.", f"Table 3: {point}"]
    return group, {column: share(of) for column, of in columns.items()}, notes


def _cell(table: str, row: str, column: str, value: float | None) -> dict[str, Any]:
    return {"table": table, "row": row, "column": column, "value": value, "low": None, "high": None}
