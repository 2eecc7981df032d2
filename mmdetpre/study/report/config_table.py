"""What differs between the configs of a task's initializations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmdetpre.study.layout import config_path
from mmdetpre.study.records import Outcome, Run
from mmdetpre.study.report.gains import base_of
from mmdetpre.utils.bounded_files import read_bounded
from mmdetpre.utils.config_differences import config_differences
from mmdetpre.utils.literal_config import MOST_TEXT, literal_config
from mmdetpre.utils.own_files import require_inside


@dataclass(frozen=True)
class ConfigTable:
    """Values in which the trainings of a task differ.

    Attributes:
        task, title: Of the task.
        inits: Initializations, the one that others are compared with first.
        runs: The run of each whose config was read: those of one seed.
        rows: Dotted key -> the value of each, as a text.
    """

    task: str
    title: str
    inits: tuple[str, ...]
    runs: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]


def config_tables(outcome: Outcome) -> list[ConfigTable]:
    """One table per task of which two initializations or more are trained, in the order of the plan.

    Paths of the runs' own folders do not count. A config that cannot be read is named in ``problems``.
    """
    found = []
    for task, facts in outcome.tasks.items():
        if outcome.shown_as(task) != task:
            continue
        first: dict[str, Run] = {}
        for run in outcome.runs.values():
            if run.task == task and run.init and run.seed is not None:
                first.setdefault(run.init, run)
        configs = {init: config for init, run in first.items() if (config := _config(outcome, run))}
        if len(configs) < 2:
            continue
        base = base_of(outcome, list(configs))
        inits = (base, *(init for init in configs if init != base))
        rows = config_differences([configs[init] for init in inits])
        title = str(facts.get("title") or task)
        found.append(ConfigTable(task, title, inits, tuple(first[init].id for init in inits), rows))
    return found


def _config(outcome: Outcome, run: Run) -> Mapping[str, Any]:
    """The resolved config of a run; empty if it has none, such as one that tests what another one trained."""
    path = config_path(outcome.folder, run.id)
    if not path.is_file():
        return {}
    try:
        require_inside(path, outcome.folder)
        config = literal_config(read_bounded(path, MOST_TEXT).decode("utf-8", "replace"))
    except (OSError, ValueError):
        config = {}
    if not config:
        outcome.problems.append(f"configs/{run.id}.py cannot be read: what differs from it is not shown.")
    renamed: Mapping[str, Any] = _renamed(config, f"{run.task}/{run.init}", f"{run.task}/INIT")
    return renamed


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(item, old, new) for item in value]
    return value.replace(old, new) if isinstance(value, str) else value
