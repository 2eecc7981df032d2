"""Runs that make proposals for negative chips."""

from __future__ import annotations

import shutil

from mmdetpre.datasets.proposals.writer import write_origin
from mmdetpre.study.proposals_config import FOLDER
from mmdetpre.study.runs.cells import test_scores
from mmdetpre.study.runs.result import RunResult
from mmdetpre.study.runs.run_folder import Job
from mmdetpre.study.runs.train import tested, train
from mmdetpre.transfer.checkpoint_reader import read_checkpoint
from mmdetpre.transfer.digest import weights_digest


def make_proposals(job: Job) -> RunResult:
    """Train the network of region proposals, let it propose on its training images, and note where they come from.

    Returns:
        Checkpoint, load of the backbone and notes, for the record; there are no cells.

    Raises:
        RunFailed: If a command fails.
    """
    checkpoint = train(job)
    for part in job.folder.glob(f".{FOLDER}.*.part"):  # of a test that was killed: the run's lock is ours
        shutil.rmtree(part, ignore_errors=True)
    run = tested(job, checkpoint, "--tta")
    origin = {"run": job.id, "start": job.run["start"], "seed": job.run["seed"], "backbone": job.made_of["backbone"]}
    origin["checkpoint"] = weights_digest(read_checkpoint(checkpoint).tensors)
    write_origin(job.folder / FOLDER, origin)
    values = {name.rpartition("/")[2]: value for name, value in test_scores(run).items()}
    recall = ", ".join(f"{100 * value:.0f} % by {name[7:]}" for name, value in values.items() if "recall@" in name)
    note = f"{values['images']:.0f} images, {values['proposals_per_image']:.0f} proposals each"
    note += f"; recalled objects: {recall}." if recall else "."
    return RunResult.of_training(checkpoint, run, notes=[note])
