"""How long a study takes, said before it starts: by runs that are done, else by a few steps that are timed now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdetpre.study.layout import write_json_if_changed
from mmdetpre.study.plan import PlannedRun
from mmdetpre.study.progress import time_left
from mmdetpre.study.record_form import Times, read_form
from mmdetpre.study.records import DONE, TIMES, TIMES_FORMAT, read_outcome
from mmdetpre.study.spec import Study
from mmdetpre.study.step_times import expected_seconds, group_of, groups, time_runs


def expect(study: Study, plan: Mapping[str, PlannedRun], cores: int, *, timing: bool = True) -> str:
    """How long the runs take that are to be made, by those that were, else by a few steps; noted for the time left.

    Args:
        study: The study, whose plan is written.
        plan: Its runs.
        cores: Processor cores to use.
        timing: Whether steps may be timed.

    Returns:
        As `mmdetpre.study.progress.time_left`.
    """
    file, outcome = study.out / TIMES, read_outcome(study.out)
    known = {
        run: entry
        for run, entry in (_times(file) if timing else {}).items()
        if run in plan and entry.get("config_digest") == plan[run].settings.get("config_digest")
    }
    lasted = {run.task for run in outcome.in_state(DONE)}
    waiting = [run for run in outcome.runs.values() if run.state != DONE]
    lacking = {group_of(study, plan[run.id]) for run in waiting if run.task not in lasted and run.id not in known}
    wanted = {name: run for name, run in groups(study, plan).items() if timing and name in lacking}
    if wanted:
        print(f"study: timing a few steps of {', '.join(wanted)}", flush=True)
    timed, problems = time_runs(wanted, study.threads) if wanted else ({}, {})
    for name, told in {**timed, **{name: f"not timed: {why}" for name, why in problems.items()}}.items():
        print(f"study: {name}: {told}", flush=True)
    known |= {
        run: {"seconds": round(seconds, 1), "config_digest": plan[run].settings.get("config_digest")}
        for run, seconds in expected_seconds(study, plan, timed).items()
    }
    write_json_if_changed(file, {"format": TIMES_FORMAT, "runs": known})
    return time_left(read_outcome(study.out), at_a_time(study, cores)) or "all of them done"


def _times(file: Path) -> dict[str, Any]:
    """What was timed before; nothing where that cannot be read."""
    try:
        return dict(read_form(file, TIMES_FORMAT, Times).get("runs") or {}) if file.is_file() else {}
    except (OSError, ValueError):
        return {}


def at_a_time(study: Study, cores: int) -> int:
    """Runs that are made at the same time: as many as there are cores for, or one on the GPUs.

    Args:
        study: The study.
        cores: Processor cores to use.
    """
    import torch

    return 1 if torch.cuda.is_available() else max(1, cores // study.threads)
