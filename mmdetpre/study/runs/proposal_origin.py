"""Which run's proposals a detector's negative chips come from."""

from __future__ import annotations

from typing import Any

from mmdetpre.datasets.proposals.table import Proposals
from mmdetpre.study.layout import work_dir
from mmdetpre.study.proposals_config import FOLDER
from mmdetpre.study.runs.run_folder import Job


def proposals_id(job: Job, run: str, backbone: str | None) -> dict[str, str]:
    """What identifies the proposals of a training: the network's weights and the images.

    Args:
        job: A run that trains with them.
        run: Run that made them.
        backbone: What identifies the weights that this training starts from.

    Raises:
        ValueError: If they are not there, or are of another run or backbone; names the run that makes the right ones.
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
            f"The proposals in {folder} are of the run {origin.get('run')} (init {origin.get('start')}, seed"
            f" {origin.get('seed')}), from the weights {_short(origin.get('backbone'))}. {job.id} needs those of {run},"
            f" from its own weights {_short(backbone)}. {advice}"
        )
    return {"checkpoint": str(origin.get("checkpoint")), "images": proposals.digest}


def _short(weights: Any) -> str:
    """A digest cut short, an address as it is."""
    text = str(weights or "none (from scratch)")
    return text[:12] if len(text) == 64 else text
