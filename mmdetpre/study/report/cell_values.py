"""Which table and cell the numbers of the runs belong in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mmdetpre.evaluation.bootstrap.resampled import Resampled
from mmdetpre.study.kinds import COCO_TABLE, PRETRAINING, task_kinds
from mmdetpre.study.records import DONE, Cell, Outcome, Run

LAYERS_TABLE, MISSED_TABLE = "7", "3"
PAPER_DETECTOR = "openimages"
"""Initialization whose layers Table 7 of the paper is of."""
FLAGS, COVERED = "flags", "covered"
"""Groups of Table 3 whose levels nobody annotated: by the flag `occluded`, or by the boxes that overlap."""
_OF_BOXES = ("visible", "occluded")

Place = tuple[str, str, str]
"""Number of a table; its group (the initialization of a table of layers, the source of the levels of Table 3, else
empty); the user's own task, or empty."""


@dataclass(frozen=True)
class Value:
    """What one run says: its id, seed, value, the interval it has of its own (of the test images), or None, and the
    value on resamples of the test images, or None.
    """

    run: str
    seed: int | None
    value: float
    low: float | None = None
    high: float | None = None
    resampled: Resampled | None = None


@dataclass
class TableValues:
    """Numbers of one table.

    Attributes:
        values: (row, column) -> one per seed, in the order of the plan.
        tasks: Column -> tasks that fill it. The column '' stands for those of the paper, where no run has finished yet.
    """

    values: dict[tuple[str, str], list[Value]] = field(default_factory=dict)
    tasks: dict[str, list[str]] = field(default_factory=dict)

    def of(self, row: str, column: str) -> Sequence[Value]:
        """Values of a cell, maybe none."""
        return self.values.get((row, column), ())


def gather(outcome: Outcome) -> dict[Place, TableValues]:
    """Sort the cells of all runs into tables, with room for what is planned and has no number yet.

    A second value for one seed of one cell is left out and added to the ``problems`` of the outcome. Where two tasks
    fill the same column, the second gets a table or column of its own.

    Example:
        >>> from pathlib import Path
        >>> run = Run("voc_detection/coco/seed0", "voc_detection", "coco", 0, (), "done")
        >>> run.cells = (Cell("2", "", "coco", "ap50", 39.7, None, None),)
        >>> outcome = Outcome(Path("."), {}, {"coco": "COCO"}, {}, {run.id: run}, [], [])
        >>> gather(outcome)["2", "", ""].of("coco", "ap50")[0].value
        39.7
    """
    tables: dict[Place, TableValues] = {}
    owners: dict[tuple[str, str, str], str] = {}
    for run in outcome.runs.values():
        for cell in run.cells:
            place, column = _where(cell, run, outcome, owners)
            table, row = tables.setdefault(place, TableValues()), cell.row
            for task in (outcome.shown_as(run.task), run.task):
                _append(table.tasks.setdefault(column, []), task)
            if cell.value is None:
                continue
            if row == run.init:
                row = outcome.row_of(run)
            values = table.values.setdefault((row, column), [])
            twin = next((value.run for value in values if value.seed == run.seed), None)
            if twin is not None:
                outcome.problems.append(
                    f"{twin} and {run.id} both give table {cell.table}, {row}, {column}: the first is shown."
                )
                continue
            values.append(Value(run.id, run.seed, cell.value, cell.low, cell.high, cell.resampled))
    for task, facts in outcome.tasks.items():
        if outcome.shown_as(task) != task:
            continue
        _make_room(outcome, task, facts, str(facts.get("table") or ""), tables)
        begun = any(run.task == task and run.state == DONE for run in outcome.runs.values())
        if facts.get("occlusion") and not begun:  # else its numbers say whether it has this table
            _make_room(outcome, task, facts, MISSED_TABLE, tables)
    for task in outcome.tasks:
        for tasks in (tasks for table in tables.values() for tasks in table.tasks.values()):
            if outcome.shown_as(task) in tasks:
                _append(tasks, task)
    return tables


def standard_column(task: str, facts: Mapping[str, object]) -> str:
    """Column of Tables 5 to 7 that a task fills.

    Example:
        >>> standard_column("caltech256_linear", {"kind": "linear"})
        'caltech256'
    """
    probes = [f"_{name}" for name, kind in task_kinds().items() if not kind.toolbox]
    data = next((task.removesuffix(probe) for probe in probes if task.endswith(probe)), task)
    return str(facts.get("column") or data)


def of_one_task(number: str) -> bool:
    """Whether a table is of one data set, so that another task of its form gets one of its own, not a column.

    Example:
        >>> of_one_task("2"), of_one_task("5")
        (True, False)
    """
    return number in (MISSED_TABLE, COCO_TABLE, *(kind.table for kind in task_kinds().values() if kind.paper_task))


def _fills_paper(task: str) -> bool:
    """Whether the table of a task is the paper's."""
    return any(task == kind.paper_task or task in (kind.other_metrics or ()) for kind in task_kinds().values())


def _where(cell: Cell, run: Run, outcome: Outcome, owners: dict[tuple[str, str, str], str]) -> tuple[Place, str]:
    shown_as = outcome.shown_as(run.task)
    own, _, column = cell.column.rpartition(".")
    if own not in outcome.tasks:
        own, column = "", cell.column
    group = cell.group
    if cell.table == MISSED_TABLE and column in _OF_BOXES and not group:  # records from before there were groups
        group = FLAGS if any("flag" in str(note) for note in run.content.get("notes") or ()) else COVERED
    if cell.table != PRETRAINING and owners.setdefault((cell.table, own, column), shown_as) != shown_as:
        if of_one_task(cell.table):
            own = shown_as
        else:
            column = shown_as
    return (cell.table, group, own), column


def _make_room(
    outcome: Outcome, task: str, facts: Mapping[str, object], number: str, tables: dict[Place, TableValues]
) -> None:
    filled = [place for place in tables if any(task in tasks for tasks in tables[place].tasks.values())]
    if not number:
        return
    if number == LAYERS_TABLE:
        inits = dict.fromkeys(run.init for run in outcome.runs.values() if run.task == task and run.init)
        wanted: list[Place] = [(number, init, "") for init in inits]
    elif any(place[0] == number for place in filled):
        return
    else:
        wanted = [(number, "", task if of_one_task(number) and not _fills_paper(task) else "")]
    for place in wanted:
        if place in filled:
            continue
        table = tables.setdefault(place, TableValues())
        if not of_one_task(number):
            _append(table.tasks.setdefault(standard_column(task, facts), []), task)
        elif not table.tasks:
            table.tasks[""] = [task]


def _append(tasks: list[str], task: str) -> None:
    if task not in tasks:
        tasks.append(task)
