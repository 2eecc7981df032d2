"""Runs that make proposals for negative chips, and the check that a detector gets those of its own run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from mmdetpre.datasets.proposals.writer import write_origin
from mmdetpre.study.layout import config_path
from mmdetpre.study.proposals_config import FOLDER
from mmdetpre.study.runs.run_folder import Job


def make_proposals(job: Job) -> dict[str, Any]:
    """Train the network of region proposals, let it propose on its training images, and note where they come from.

    Returns:
        Checkpoint, load of the backbone and notes, for the record; there are no cells.

    Raises:
        RunFailed: If a command fails.
    """
    from mmdetpre.study.runs.train import record, tested, train
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
