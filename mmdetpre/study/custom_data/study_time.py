"""How long a user's study will take, said before it starts, and what of it fits a budget."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.console.progress_line import duration
from mmdetpre.study.custom_data.budget import Fit, Trained, change_text, fit
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.custom_data.study_yaml import OwnTask
from mmdetpre.study.expected_time import at_a_time
from mmdetpre.study.kinds import PRETRAINING
from mmdetpre.study.plan import PlannedRun, make_plan
from mmdetpre.study.spec import Study, read_study
from mmdetpre.study.step_times import StepTimes, expected_seconds, group_of, groups, time_runs

FEWEST = 1 / 3
"""Part of the proposed epochs that a budget leaves at least, and no fewer than the model's own bound."""


@dataclass(frozen=True)
class StudyTime:
    """What is known of the time of a study.

    Attributes:
        study, plan: The study.
        timed: What of it was timed, by the names of `mmdetpre.study.step_times.groups`.
        problems: Why the others were not.
        how: How times are known.
    """

    study: Study
    plan: Mapping[str, PlannedRun]
    timed: Mapping[str, StepTimes]
    problems: Mapping[str, str]
    how: str

    @property
    def parallel(self) -> int:
        """Runs that are made at the same time."""
        return at_a_time(self.study, os.cpu_count() or 1)

    def text(self) -> str:
        """How long it takes, and of what that is made up."""
        seconds = expected_seconds(self.study, self.plan, self.timed)
        total = max(sum(seconds.values()) / self.parallel, max(seconds.values(), default=0))
        unknown = [
            name
            for name, run in self.plan.items()
            if name not in seconds and group_of(self.study, run) not in self.problems
        ]
        several = f", {self.parallel} at a time" if self.parallel > 1 else ""
        lines = [
            f"Time: about {duration(total)} for {len(seconds)} of {len(self.plan)} runs{several} ({self.how})."
            if seconds
            else "Time: not known."
        ]
        for name, times in self.timed.items():
            runs = self._runs(name)
            lines.append(f"  {name}: {times}, {runs} {'run' if runs == 1 else 'runs'}")
        lines += [f"  {name}: not timed: {why}" for name, why in self.problems.items()]
        if unknown:
            lines.append(f"  not timed: {', '.join(unknown[:6])}{', ...' if len(unknown) > 6 else ''}")
        return "\n".join(lines)

    def fitted(self, budget: float, tasks: Mapping[str, OwnTask], choice: ModelChoice, given: int | None) -> Fit:
        """Epochs and seeds for a budget.

        Args:
            budget: Seconds.
            tasks: Name of what was timed -> the training.
            choice: The model.
            given: Epochs that the user set, which stay; None: they are free.

        Raises:
            ValueError: If a training was not timed, or nothing fits.
        """
        if self.problems:
            name, why = next(iter(self.problems.items()))
            raise ValueError(f"--budget needs the time of a step, and {name} was not timed: {why}. Leave --budget out.")
        seconds = expected_seconds(self.study, self.plan, self.timed)
        trained = self.trained(tasks, choice, given)
        other = sum(seconds[run] for run in seconds if group_of(self.study, self.plan[run]) is None)
        return fit(budget, trained, len(self.study.seeds), other, self.parallel, len(self.study.inits))

    def trained(self, tasks: Mapping[str, OwnTask], choice: ModelChoice, given: int | None) -> list[Trained]:
        """What is trained, with the bounds of its epochs.

        Args:
            tasks: Name of what was timed -> the training.
            choice: The model.
            given: Epochs that the user asked for.
        """
        found = []
        amounts = {"detection": choice.detection_amount, "segmentation": choice.segmentation_amount}
        amounts["classification"] = choice.classification_amount
        for name, times in self.timed.items():
            task, seeded = tasks[name], not name.startswith(f"{PRETRAINING}/")
            runs = self._runs(name)
            amount = amounts[task.kind]
            least = max(min(amount.epochs[0], task.epochs), math.ceil(FEWEST * task.epochs))
            most = task.epochs if choice.for_gpus else max(amount.epochs[1], task.epochs)
            bounds = (least, most) if given is None else (given, given)
            epoch = times.step * times.steps / task.epochs
            fixed = times.run(0) if seeded else times.begin
            each = runs // len(self.study.seeds) if seeded else runs
            found.append(Trained(task.name, task.epochs, bounds, epoch, fixed, each, seeded))
        return found

    def _runs(self, name: str) -> int:
        """How many runs are timed by a group."""
        return sum(group_of(self.study, run) == name for run in self.plan.values())

    def change_text(self, found: Fit, tasks: Mapping[str, OwnTask], choice: ModelChoice) -> str:
        """What a budget changed.

        Args:
            found: What fits.
            tasks: Name of what was timed -> the training.
            choice: The model.
        """
        trained = self.trained(tasks, choice, None)
        changes = change_text(trained, len(self.study.seeds), found)
        return f"{changes}: about {duration(found.seconds)}"


def study_time(file: Path, tasks: Mapping[str, OwnTask], choice: ModelChoice, *, gpu: bool) -> StudyTime:
    """Time a few steps of each training of a study; of a model that this machine is too small for, read the table.

    Args:
        file: The study's file.
        tasks: Name of what is timed -> the training.
        choice: The model.
        gpu: Whether there is a GPU.
    """
    study = read_study(file)
    plan = make_plan(study)
    wanted = groups(study, plan)
    if choice.for_gpus and not gpu:
        costs = {name: choice.costs.get(tasks[name].kind) for name in wanted}
        timed = {name: StepTimes(0, cost.seconds, tasks[name].steps, 0, 0, 0) for name, cost in costs.items() if cost}
        problems = {name: "the table has no step of it" for name, cost in costs.items() if not cost}
        return StudyTime(
            study, plan, timed, problems, "by steps measured on one core of another machine, without tests"
        )
    timed, problems = time_runs(wanted, study.threads, math.inf)
    return StudyTime(study, plan, timed, problems, "a few steps of each training were timed now")
