"""What a study left in its folder: the plan, one record or failure per run, and the data that was loaded.

The folder is read as it is, also while the study is running. What cannot be used is named in ``problems`` and the rest
is read all the same; only a study without a readable plan is refused. What the files call ``start`` is an
initialization.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmdetpre.evaluation.bootstrap.resampled import Resampled
from mmdetpre.study.record_form import Data, Plan, Record, Times, read_form
from mmdetpre.utils.stages import trainable_text

PLAN_FORMAT = "mmdetpre.study/1"
DATA_FORMAT = "mmdetpre.study.data/1"
TIMES, TIMES_FORMAT = "times.json", "mmdetpre.study.times/1"
RUN_FORMAT = "mmdetpre.study.run/1"
FAILURE_FORMAT = "mmdetpre.study.failure/1"

DONE, FAILED, DAMAGED, NOT_RUN = "done", "failed", "record damaged", "not run"


@dataclass(frozen=True)
class Cell:
    """One number of a run.

    Attributes:
        table: ``2`` to ``7``, or ``pretraining``.
        group: Initialization of Table 7, whose rows are layers; else mostly empty.
        row, column: Keys.
        value: Percent; None where there was nothing to measure.
        low, high: Its own 95 % interval (of the test images), or None.
        resampled: The number on resamples of the test images, or None.
    """

    table: str
    group: str
    row: str
    column: str
    value: float | None
    low: float | None = None
    high: float | None = None
    resampled: Resampled | None = None


@dataclass(frozen=True)
class Part:
    """A number of a run on a part of its test.

    Attributes:
        by: What the parts are of: ``class`` or ``size``.
        name: Of the class or size.
        measure: What is measured.
        value: Percent; None where there was nothing to measure.
        count: Objects that were to be found; of label maps and classifiers, images that show the class. None where it
            is not known.
        resampled: The number on resamples of the test images, or None.
    """

    by: str
    name: str
    measure: str
    value: float | None
    count: int | None = None
    resampled: Resampled | None = None


@dataclass
class Run:
    """A run of the plan and what became of it.

    Attributes:
        id: Such as ``voc_detection/coco/seed0``.
        task, init, seed: Of the plan; init and seed may be None.
        needs: Ids of the runs it builds on.
        state: ``done``, ``failed``, ``record damaged`` or ``not run``.
        cells: Its numbers.
        content: The record or failure as it was read, else empty.
        parts: Its numbers by class and by size; records of before have none.
    """

    id: str
    task: str
    init: str | None
    seed: int | None
    needs: tuple[str, ...] = ()
    state: str = NOT_RUN
    cells: tuple[Cell, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


@dataclass
class Outcome:
    """A study as its folder tells it.

    Attributes:
        folder: The folder.
        plan: ``study.json``.
        inits: Key -> title, in order.
        tasks: Key -> ``kind``, ``title``, ... in order.
        runs: Id -> run, in the order of the plan.
        data: The data sets that were loaded.
        problems: What could not be used, a sentence each.
        seconds: Run -> seconds that it is expected to take, by steps that were timed before the study.
    """

    folder: Path
    plan: Mapping[str, Any]
    inits: dict[str, str]
    tasks: dict[str, Mapping[str, Any]]
    runs: dict[str, Run]
    data: list[Mapping[str, Any]]
    problems: list[str]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """Key of the initialization that differences are to."""
        return str(self.plan.get("reference") or next(iter(self.inits), ""))

    def title_of_init(self, key: str) -> str:
        """Its title, or the key of one that is not in the plan; also of a row, see `row_of`."""
        init, _, trainable = key.partition("@")
        title = self.inits.get(init, init)
        return f"{title}, {trainable_text(int(trainable))}" if re.fullmatch("[0-9]", trainable) else title

    def row_of(self, run: Run) -> str:
        """Row of the tables that a run is of: its initialization, and ``@`` how many stages are trained if not all."""
        trainable = self.tasks.get(run.task, {}).get("trainable")
        return f"{run.init or ''}{'' if trainable is None else f'@{trainable}'}"

    def shown_as(self, task: str) -> str:
        """Key of the task whose tables the results of a task are rows of: often its own."""
        of = self.tasks.get(task, {}).get("rows_of")
        return str(of) if of in self.tasks else task

    def in_state(self, *states: str) -> list[Run]:
        """Runs in one of some states, in the order of the plan."""
        return [run for run in self.runs.values() if run.state in states]


def read_outcome(folder: str | Path) -> Outcome:
    """Read the folder of a study.

    Raises:
        FileNotFoundError: If there is no ``study.json``.
        ValueError: If it is damaged.

    Example:
        >>> read_outcome("work_dirs/study_sample").in_state("failed")  # doctest: +SKIP
        []
    """
    folder = Path(folder)
    path = folder / "study.json"
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: give the folder of a study, which `mmdetpre study run` makes.")
    try:
        plan = read_form(path, PLAN_FORMAT, Plan)
        outcome = Outcome(
            folder,
            plan,
            {key: str(init.get("title") or key) for key, init in plan["starts"].items()},
            {key: dict(task) for key, task in plan["tasks"].items()},
            {key: _planned(key, run) for key, run in plan["runs"].items()},
            [],
            [],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not the plan of a study ({_why(error)}): start the study again.") from error
    _read_data(outcome)
    _read_times(outcome)
    _read_records(outcome)
    _compare_backbones(outcome)
    return outcome


def _planned(key: str, run: Mapping[str, Any]) -> Run:
    return Run(key, str(run["task"]), run.get("start"), run.get("seed"), tuple(run.get("needs") or ()))


def _read_data(outcome: Outcome) -> None:
    path = outcome.folder / "data.json"
    if not path.is_file():
        outcome.problems.append(f"There is no {path.name}: the sizes of the data (Table 1) are not known.")
        return
    try:
        found: list[Mapping[str, Any]] = [dict(entry) for entry in read_form(path, DATA_FORMAT, Data)["data"]]
        for entry in found:
            _ = entry["key"], dict(entry["train"]), dict(entry.get("test") or {})
        outcome.data = found
    except (OSError, ValueError, KeyError, TypeError) as error:
        outcome.problems.append(f"{path.name} is damaged ({_why(error)}): Table 1 shows the paper's sizes only.")


def _read_times(outcome: Outcome) -> None:
    path = outcome.folder / TIMES
    try:
        times = read_form(path, TIMES_FORMAT, Times) if path.is_file() else Times()
    except (OSError, ValueError) as error:
        outcome.problems.append(f"{path.name} is damaged ({_why(error)}): remove it and run the study again.")
        return
    found = {run: entry.get("seconds") for run, entry in (times.get("runs") or {}).items() if run in outcome.runs}
    outcome.seconds = {run: float(seconds) for run, seconds in found.items() if seconds is not None and seconds >= 0}


def _read_records(outcome: Outcome) -> None:
    for kind, form, state in (("failed", FAILURE_FORMAT, FAILED), ("records", RUN_FORMAT, DONE)):
        root = outcome.folder / kind
        for path in sorted(root.rglob("*.json")):
            name = path.relative_to(root).as_posix().removesuffix(".json")
            shown = path.relative_to(outcome.folder).as_posix()
            run = outcome.runs.get(name)
            if run is None:
                outcome.problems.append(f"{shown} is of a run that is not in the plan: it is not counted.")
                continue
            try:
                _require_inside(path, outcome.folder)
                file = path.stat()
                content, cells, parts = _record(path, form, (file.st_mtime_ns, file.st_size, file.st_ino))
                if content.get("run") != name:
                    raise ValueError(f"it is of the run '{content.get('run')}'")
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                outcome.problems.append(f"{shown} is damaged ({_why(error)}): remove it and run the study again.")
                run.state, run.cells, run.parts, run.content = DAMAGED, (), (), {}
                continue
            if state == DONE and run.state == FAILED:
                outcome.problems.append(f"{name} has a record and a failure: the record is shown.")
            run.state, run.cells, run.parts, run.content = state, cells, parts, content


@lru_cache(maxsize=4096)
def _record(
    path: Path, form: str, stamp: tuple[int, ...]
) -> tuple[Mapping[str, Any], tuple[Cell, ...], tuple[Part, ...]]:
    """A record or failure and its numbers, read once while its file stays: that has a hundred kilobytes of resamples.

    A study reads all of them whenever a run ends.
    """
    content = read_form(path, form, Record)
    if content.get("figure"):
        content["figure"]["number"] = str(content["figure"]["number"])
    if form != RUN_FORMAT:
        return content, (), ()
    cells = tuple(_cell(cell) for cell in content.get("cells") or ())
    return content, cells, tuple(_part(part) for part in content.get("parts") or ())


def _compare_backbones(outcome: Outcome) -> None:
    """Seeds of one initialization on one task must have been loaded with the same weights."""
    found: dict[tuple[str, str | None], dict[str, list[str]]] = {}
    for run in outcome.in_state(DONE):
        digest = (run.content.get("load") or {}).get("digest")
        if digest:
            found.setdefault((run.task, run.init), {}).setdefault(digest, []).append(run.id)
    for (task, init), digests in found.items():
        if len(digests) > 1:
            runs = "; ".join(f"{', '.join(ids)}: {digest[:12]}" for digest, ids in digests.items())
            outcome.problems.append(f"The runs of {task} from {init} did not start from the same backbone ({runs}).")


def _require_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError("it is a link out of the study's folder")


def _cell(cell: Mapping[str, Any]) -> Cell:
    value, low, high = (None if cell.get(key) is None else float(cell[key]) for key in ("value", "low", "high"))
    where = (str(cell["table"]), str(cell.get("group") or ""), str(cell["row"]), str(cell["column"]))
    return Cell(*where, value, *((low, high) if None not in (low, high) else (None, None)), _resampled(cell))


def _part(part: Mapping[str, Any]) -> Part:
    value, count = part.get("value"), part.get("count")
    where = (str(part["by"]), str(part["name"]), str(part["measure"]))
    return Part(*where, None if value is None else float(value), count, _resampled(part))


def _resampled(number: Mapping[str, Any]) -> Resampled | None:
    if not (sample := number.get("resampled")):
        return None
    return Resampled(int(sample["images"]), str(sample["digest"]), tuple(map(float, sample["values"])))


def _why(error: Exception) -> str:
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)
