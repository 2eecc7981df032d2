"""Runs that make proposals for negative chips, and the check that a detector gets those of its own run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmdetpre.datasets.proposals import Proposals
from mmdetpre.datasets.proposals_writer import write_origin
from mmdetpre.study.plan import config_path, work_dir
from mmdetpre.study.proposals_config import FOLDER

if TYPE_CHECKING:
    from mmdetpre.study.job import Job


def make_proposals(job: Job) -> dict[str, Any]:
    """Train the network of region proposals, let it propose on its training images, and note where they come from.

    Returns:
        Checkpoint, load of the backbone and notes, for the record; there are no cells.

    Raises:
        RunFailed: If a command fails.
    """
    from mmdetpre.study.training_job import record, tested, train
    from mmdetpre.transfer.checkpoint_reader import read_checkpoint
    from mmdetpre.transfer.digest import weights_digest

    checkpoint = train(job)
    for part in job.folder.glob(f".{FOLDER}.*.part"):  # of a test that was killed: the run's lock is ours
        shutil.rmtree(part, ignore_errors=True)
    run = tested(job, job.settings["toolbox"], config_path(job.out, job.id), checkpoint, "--tta")
    folder = job.folder / FOLDER
    origin = {"run": job.id, "start": job.run["start"], "seed": job.run["seed"], "backbone": job.made_of["backbone"]}
    write_origin(folder, origin | {"checkpoint": weights_digest(read_checkpoint(checkpoint).tensors)})
    return record(checkpoint, run, [], [_found(run.metrics)])


def _found(metrics: Mapping[str, Mapping[str, float]]) -> str:
    values = {name.rpartition("/")[2]: kinds["test"] for name, kinds in metrics.items() if "test" in kinds}
    text = f"{values['images']:.0f} images, {values['proposals_per_image']:.0f} proposals each"
    recall = ", ".join(f"{100 * value:.0f} % by {name[7:]}" for name, value in values.items() if "recall@" in name)
    return f"{text}; objects found: {recall}." if recall else f"{text}."


def proposals_id(job: Job, run: str, backbone: str | None) -> dict[str, str]:
    """What tells the proposals of a training apart: the network's weights and the images.

    Args:
        job: A run that trains with them.
        run: Run that made them.
        backbone: What tells the weights apart that this training starts from.

    Raises:
        ValueError: If they are not there, or are of another run or start; names the run that makes the right ones.
    """
    folder = work_dir(job.out, run) / FOLDER
    advice = f"Make them: mim run mmdetpre run_job {job.out} {run}"
    try:
        proposals = Proposals.open(folder)
    except ValueError as error:
        raise ValueError(f"The proposals for the negative chips of {job.id} are not in {folder}. {advice}") from error
    origin = proposals.origin
    if (origin.get("run"), origin.get("backbone")) != (run, backbone):
        raise ValueError(
            f"The proposals in {folder} are of the run {origin.get('run')} (start {origin.get('start')}, seed"
            f" {origin.get('seed')}), from the weights {_short(origin.get('backbone'))}. {job.id} needs those of {run},"
            f" from its own weights {_short(backbone)}. {advice}"
        )
    return {"checkpoint": str(origin.get("checkpoint")), "images": proposals.digest}


def _short(weights: Any) -> str:
    """A digest cut short, an address as it is."""
    text = str(weights or "none (from scratch)")
    return text[:12] if len(text) == 64 else text
