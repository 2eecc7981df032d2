"""How long the runs of a study will take, by a few steps of each training on this machine with its own data."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from mmdetpre.compat.warm_start import run_command, warm_start
from mmdetpre.console.progress_line import duration
from mmdetpre.study.kinds import KINDS, PRETRAINING, PRETRAINING_TEST
from mmdetpre.study.plan import PlannedRun
from mmdetpre.study.runs.run_folder import TOOLS
from mmdetpre.study.runs.run_folder import environment as run_environment
from mmdetpre.study.spec import SCRATCH, Study, Task
from mmdetpre.utils.bounded_files import read_end, read_json
from mmdetpre.utils.config_writer import resolved_text, write_config
from mmdetpre.utils.plain_text import printable

LONGEST = 60.0
"""Seconds of processor time that a few steps of one training may take."""
NOT_BUILT = 3
"""Exit code of ``time_steps.py`` where a model cannot be built."""
IN_ALL = 180.0
"""Seconds after which no further training is timed."""


@dataclass(frozen=True)
class StepTimes:
    """What a training and its test take.

    Attributes:
        begin: Seconds for all but steps and images.
        step, steps: Seconds of a step, and steps of the whole training.
        image, images: Seconds of a test image, and test images.
        train_images: Training images.
    """

    begin: float
    step: float
    steps: float
    image: float
    images: float
    train_images: float

    def run(self, share: float = 1.0) -> float:
        """Seconds of a training, of a part of the steps, and its test: two processes.

        Example:
            >>> StepTimes(2.0, 0.5, 100, 0.1, 20, 80).run()
            56.0
        """
        return 2 * self.begin + share * self.steps * self.step + self.images * self.image

    @property
    def test(self) -> float:
        """Seconds of a test alone."""
        return self.begin + self.images * self.image

    @property
    def probe(self) -> float:
        """Seconds of a probe, for which the network sees each image of both parts once."""
        return self.begin + (self.train_images + self.images) * self.image

    def __str__(self) -> str:
        images = f"; {self.image:.2g} s a test image, {self.images:.0f} images" if self.images else ""
        return f"{self.step:.2g} s a step, {self.steps:.0f} steps{images}: {duration(self.run())} a run"


def groups(study: Study, plan: Mapping[str, PlannedRun]) -> dict[str, PlannedRun]:
    """What has to be timed: name -> a run whose steps are those of others; pre-trainings, and trained tasks.

    Parts of the labels are timed by the largest, and what is trained of the backbone by the first.
    """
    found: dict[str, PlannedRun] = {}
    for run in plan.values():
        name = group_of(study, run)
        if name is None or run.config is None or (run.task in study.tasks and run.task != name):
            continue
        if name not in found or found[name].init == SCRATCH:
            found[name] = run
    return found


def group_of(study: Study, run: PlannedRun) -> str | None:
    """Name of what a run is timed by; None if it is not timed by steps."""
    if run.kind == PRETRAINING:
        return run.id
    return None if not KINDS[run.kind].cells else _whole(study, study.tasks[run.task]).key


def _whole(study: Study, task: Task) -> Task:
    task = study.tasks[task.rows_of] if task.rows_of else task
    same = [one for one in study.tasks.values() if task.whole and one.whole == task.whole and not one.rows_of]
    return max(same, key=lambda one: one.fraction, default=task)


def time_runs(
    runs: Mapping[str, PlannedRun], threads: int, most: float = IN_ALL
) -> tuple[dict[str, StepTimes], dict[str, str]]:
    """Take a few steps of each training, in a process of its own that is forked where there is no GPU.

    Args:
        runs: Name -> run, of `groups`.
        threads: Processor threads of a run.
        most: Seconds after which no further training is timed.

    Returns:
        Name -> times; and name -> why there are none.

    Raises:
        ValueError: If the model of a config cannot be built: all its runs would fail.
    """
    timed: dict[str, StepTimes] = {}
    problems: dict[str, str] = {}
    environment, began = run_environment(threads), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, warm_start(environment):
        for number, (name, run) in enumerate(runs.items()):
            if time.monotonic() - began > most:
                problems[name] = f"the others took {most:.0f} s already"
                continue
            config, out, log = (Path(folder, f"timed_{number}{ending}") for ending in (".py", ".json", ".log"))
            assert run.config is not None
            write_config(config, resolved_text(run.config, "To be timed."), run.config)
            words = [sys.executable, TOOLS / "study/time_steps.py", config, "--out", out, "--most", LONGEST]
            words += ["--tta"] if run.settings.get("tta") else []
            with log.open("wb") as file:
                code = run_command([str(word) for word in words], cwd=os.getcwd(), log=file.fileno(), env=environment)
            if code == NOT_BUILT:
                raise ValueError(f"{name}: {run.settings['source']}: {_why(code, log)}.")
            if code:
                problems[name] = _why(code, log)
                continue
            found = read_json(out)
            timed[name] = StepTimes(**{field.name: float(found[field.name]) for field in fields(StepTimes)})
    return timed, problems


def _why(code: int, log: Path) -> str:
    if code in (-signal.SIGPROF, -signal.SIGALRM):
        return f"a few steps take longer than {LONGEST:.0f} s"
    lines = printable(read_end(log).decode("utf-8", "replace")).splitlines()
    return next((line for line in reversed(lines) if line.strip()), f"exit {code}").removeprefix("time_steps: ")


def expected_seconds(study: Study, plan: Mapping[str, PlannedRun], timed: Mapping[str, StepTimes]) -> dict[str, float]:
    """Run -> seconds of its work, of those whose group was timed. Probes see the images of a task with their config.

    Args:
        study: The study.
        plan: Its runs.
        timed: Name of a group -> times.
    """
    configs = {
        found.path: times
        for name, times in timed.items()
        if name in study.tasks
        for found in study.tasks[name].configs.values()
    }
    seconds: dict[str, float] = {}
    for run in plan.values():
        kind, name = KINDS[run.kind], group_of(study, run)
        times = timed.get(str(run.settings.get("tested")) if run.kind == PRETRAINING_TEST else name or "")
        if run.kind == PRETRAINING_TEST or "tested" in run.settings:
            found = times.test if times else None
        elif run.kind == PRETRAINING:
            found = times.begin + times.steps * times.step if times else None
        elif times and name:
            found = times.run(study.tasks[run.task].fraction / study.tasks[name].fraction)
        elif kind.title and not kind.toolbox and not kind.of_detector:
            probed = configs.get(Path(str(run.settings.get("data_config"))))
            found = probed.probe if probed else None
        else:
            found = None
        if found is not None:
            seconds[run.id] = found
    return seconds
