"""Runs that train: pre-training, and the transfer to detection, segmentation and classification."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.compat.toolbox_commands import testing_command, training_command
from mmdetpre.results.run_table import TrainingRun, read_run
from mmdetpre.study.detection_scores import average_precisions
from mmdetpre.study.kinds import KINDS, PRETRAINING, function
from mmdetpre.study.layout import config_path, work_dir
from mmdetpre.study.records import Cell
from mmdetpre.study.runs.cells import test_scores
from mmdetpre.study.runs.checkpoints import last_checkpoint, weights_id
from mmdetpre.study.runs.parts import by_class
from mmdetpre.study.runs.proposal_origin import proposals_id
from mmdetpre.study.runs.result import RunResult
from mmdetpre.study.runs.run_folder import Job
from mmdetpre.study.tracker import with_tracker
from mmdetpre.transfer.backbone_init import chosen_init
from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.utils.config_writer import resolved_text, write_config
from mmdetpre.utils.own_files import require_inside

LABELS_HOOK = "mmdetpre.WriteLabelsHook"
_OWN_SCORES = ("mAP", "AP50", "mIoU", "top1")


def train_and_test(job: Job) -> RunResult:
    """Train the run's config by ``mim train``, resume where it was stopped before, test it by ``mim test``.

    A run that is a pre-training under another name (``tested``) only tests the checkpoint of that.

    Raises:
        RunFailed: If a command fails.
    """
    kind, trained = KINDS[job.kind], str(job.settings.get("tested", job.id))
    checkpoint = train(job) if trained == job.id else _trained_before(job)
    kept = ["--out", str(job.folder / "test" / "maps")] if kind.maps else []
    options = [f"default_hooks.labels.type={LABELS_HOOK}"] if kind.labels else []
    options += by_class(job) if "table" in job.settings else []
    kept += ["--cfg-options", *options] if options else []
    run = tested(job, checkpoint, *_tta(job), *kept)
    cells, notes, parts = function(kind.cells)(job, run)
    if trained != job.id:
        run, notes = read_run(work_dir(job.out, trained)), [*notes, f"Its training is the run {trained}."]
    return RunResult.of_training(checkpoint, run, cells, notes, parts)


def pretrain(job: Job) -> RunResult:
    """Train the run's config by ``mim train``; its numbers are those of its last validation.

    Raises:
        RunFailed: If the command fails.
    """
    checkpoint, run = train(job), read_run(job.folder)
    factor = 100 if job.settings["toolbox"] == "mmdet" else 1
    scores = {name: factor * parts["last"] for name, parts in run.metrics.items() if "last" in parts}
    own = {name: value for name, value in scores.items() if any(word in name for word in _OWN_SCORES)}
    return RunResult.of_training(
        checkpoint, run, [Cell(PRETRAINING, "", job.init, name, value) for name, value in own.items()]
    )


def score_pretraining(job: Job) -> RunResult:
    """Test a pre-trained detector on its own data, at all scales where its config has some.

    Returns:
        Cells of the table of pre-trainings: ``test_map`` where the metric is COCO's, else ``test_ap50``.

    Raises:
        RunFailed: If the test fails.
        ValueError: If it gave no average precision.
    """
    checkpoint = _trained_before(job)
    run = tested(job, checkpoint, *_tta(job))
    found = average_precisions(test_scores(run))
    coco = any(name.startswith("coco/") for name in run.metrics)
    column, value = ("map", found.get("map")) if coco else ("ap50", found.get("ap50", found.get("map")))
    scales = "all scales" if _tta(job) else "one scale"
    cell = Cell(PRETRAINING, "", job.init, f"test_{column}", value)
    return RunResult.of_training(checkpoint, run, [cell], [f"Tested at {scales}."])


def tested(job: Job, checkpoint: Path, *flags: str) -> TrainingRun:
    """Test by ``mim test``, in the folder ``test`` of the run.

    Args:
        job: The job.
        checkpoint: The checkpoint to test.
        *flags: Further arguments of the command.

    Returns:
        The run with the metrics of this test.
    """
    config = config_path(job.out, str(job.settings.get("tested", job.id)))
    arguments = ["--work-dir", job.folder / "test", *flags, *job.launch]
    job.command(*testing_command(job.settings["toolbox"], config, checkpoint, *arguments))
    return read_run(job.folder)


def train(job: Job) -> Path:
    """Train the run's config by ``mim train``, unless that is done; resume where it was stopped before.

    Returns:
        The checkpoint.

    Raises:
        RunFailed: If the command fails.
        ValueError: If the run's proposals are those of another run.
    """
    config = config_path(job.out, job.id)
    init = chosen_init(Config.fromfile(config, import_custom_modules=False)) or {}
    made_of = {"config": job.settings["config_digest"], "backbone": weights_id(init.get("checkpoint"), job.root)}
    if proposals := job.settings.get("proposals"):
        made_of["proposals"] = proposals_id(job, proposals, made_of["backbone"])
    if not job.claim(made_of):
        resume = ["--resume"] if newest_whole(job.folder).path else []
        arguments = ["--work-dir", job.folder, *resume, *job.launch]
        job.command(*training_command(job.settings["toolbox"], _tracked(job, config), *arguments))
        job.note_trained()
    return last_checkpoint(job.folder)


def _tracked(job: Job, config: Path) -> Path:
    """The config that is trained: that of the plan, or with a tracker a copy that also reports to it.

    So a tracker that is added to a study or taken out makes no finished training be made again.
    """
    if not job.tracker:
        return config
    values = with_tracker(
        Config.fromfile(config, import_custom_modules=False).to_dict(),
        job.tracker,
        study=job.study,
        out=job.out,
        run=job.id,
        group=str(job.run["task"]),
        digest=str(job.settings["config_digest"]),
    )
    path = job.folder / "tracked" / config.name
    require_inside(path, job.out)
    write_config(path, resolved_text(values, f"The config of {job.id}, which reports to {job.tracker}."), values)
    return path


def _trained_before(job: Job) -> Path:
    """The checkpoint of the run that this one tests."""
    checkpoint = last_checkpoint(work_dir(job.out, str(job.settings["tested"])))
    job.claim({"checkpoint": file_sha256(checkpoint)})
    return checkpoint


def _tta(job: Job) -> list[str]:
    return ["--tta"] if job.settings.get("tta") else []
