"""Tables 2 to 7 of a study: mean and spread over the seeds, the paper's figure, and the difference to the reference."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmdetpre.paper.tables import AVERAGE_PRECISION, BASELINES, DETECTION, LAYERS, PaperTable
from mmdetpre.study.kinds import COCO_TABLE, PRETRAINING, task_kinds
from mmdetpre.study.records import DAMAGED, DONE, FAILED, NOT_RUN, Outcome
from mmdetpre.study.report.cell_values import (
    COVERED,
    FLAGS,
    LAYERS_TABLE,
    MISSED_TABLE,
    PAPER_DETECTOR,
    Place,
    TableValues,
    Value,
    gather,
)
from mmdetpre.study.report.seed_statistics import Difference, Spread, difference, spread

NOT_MEASURED, NOT_PLANNED, QUOTED = "not measured", "not in this study", "quoted by the paper"
NOT_IN_PAPER = "not in the paper's table"
FORMS = {
    MISSED_TABLE: "objects that the detectors miss, by annotated level of occlusion, share in %",
    COCO_TABLE: "detection, AP in %",
}
"""Table of the paper -> what a table of the same form on other data shows; else it is the ``form`` of its kind."""
BOX_TITLES = {
    FLAGS: "objects that the detectors miss, by the flag of occlusion in the annotations, share in %",
    COVERED: "objects that the detectors miss, by how much other boxes overlap them, share in %",
}
BOX_COLUMNS = {
    FLAGS: {"visible": "visible objects missed", "occluded": "occluded objects missed"},
    COVERED: {"visible": "clear of other boxes, missed", "occluded": "overlapped by other boxes, missed"},
}
"""Group of Table 3 -> title and columns: these are not the paper's levels, which people annotated."""
_COLUMNS = DETECTION | AVERAGE_PRECISION


@dataclass(frozen=True)
class Entry:
    """All that belongs in one cell.

    Attributes:
        init: Key of the initialization.
        values: One per seed that finished, in the order of the plan.
        state: Why there is no value; empty where there is one.
        missing: Ids of planned runs that gave no value.
        spread: Over the values, or None.
        paper: The paper's figure, or None.
        why_no_paper: Empty where there is one.
        difference: To the reference of the column; None for the reference itself and where one of both is missing.
    """

    init: str
    values: tuple[Value, ...]
    state: str
    missing: tuple[str, ...]
    spread: Spread | None
    paper: float | None
    why_no_paper: str
    difference: Difference | None


@dataclass(frozen=True)
class Column:
    """A column: key, title, whether the paper has it, key of the reference ('' for none), tasks that fill it."""

    key: str
    title: str
    in_paper: bool
    reference: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class ResultTable:
    """A table of the report.

    Attributes:
        number: Of the paper's table, ``coco_finetuning`` or ``pretraining``.
        group: Start of a table of layers; ``flags`` or ``covered`` of a table of missed objects whose levels nobody
            annotated; else empty.
        own: Key of the task, if it is a table of the paper's form on other data; else empty.
        title: Caption.
        columns: In order.
        rows: Key -> title, in order.
        entries: (row, column) -> cell.
        lower_is_better: Of all columns.
        notes: Of the paper and of the runs.
    """

    number: str
    group: str
    own: str
    title: str
    columns: tuple[Column, ...]
    rows: Mapping[str, str]
    entries: Mapping[tuple[str, str], Entry]
    lower_is_better: bool = False
    notes: tuple[str, ...] = ()

    @property
    def of_paper_alone(self) -> bool:
        """Whether the study has neither a number nor a run for it."""
        return all(entry.state in (NOT_PLANNED, QUOTED) for entry in self.entries.values())

    @property
    def label(self) -> str:
        """What comes before the title."""
        if self.number == PRETRAINING:
            return "Pre-training"
        name = f"table {self.number}" if self.number.isdigit() else "in the text"
        like = self.own or (self.number == MISSED_TABLE and self.group)
        return f"As {name}" if like else name.capitalize()


def result_tables(outcome: Outcome, papers: Mapping[str, PaperTable]) -> list[ResultTable]:
    """The tables in the paper's order; then those of its text, last the pre-training runs' own scores.

    Args:
        outcome: What the study left; what belongs in no table is added to its ``problems``.
        papers: Table number -> the paper's table.

    Returns:
        Of every number at least one table, which has no columns if nothing belongs in it.
    """
    found = gather(outcome)
    tables = []
    for number, paper in papers.items():
        places = [place for place in found if place[0] == number]
        if _has_paper(paper) and not any(_of_paper(place) for place in places):
            places.append((number, "", ""))
        places.sort(key=lambda place: (place[2] != "", _rank(place[2], outcome.tasks), _order(place, outcome)))
        tables += [_table(outcome, found, place, paper) for place in places]
    for number in dict.fromkeys(place[0] for place in found):
        if number not in papers:
            outcome.problems.append(f"Numbers for table '{number}' are not shown: there is {', '.join(papers)}.")
    return tables


def _table(outcome: Outcome, found: Mapping[Place, TableValues], place: Place, paper: PaperTable) -> ResultTable:
    number, group, own = place
    here = found.get(place, TableValues())
    title, inits = paper.title, {row: name for row, name in paper.rows.items() if row not in BASELINES}
    if number == MISSED_TABLE and group:
        task = own or next((key for tasks in here.tasks.values() for key in tasks), "")
        title = f"{outcome.tasks.get(task, {}).get('title') or 'PASCAL VOC'}: {BOX_TITLES.get(group, group)}"
        paper = PaperTable(title, inits, BOX_COLUMNS.get(group, {}), {}, paper.lower_is_better)
    elif own:
        of_kinds = {kind.table: kind.form for kind in task_kinds().values()}
        form = FORMS.get(number) or of_kinds.get(number)
        title = f"{outcome.tasks[own].get('title') or own}: {form or paper.title}"
        paper = PaperTable(title, inits, paper.columns, {}, paper.lower_is_better)
    elif group:
        title = f"{paper.title}: {outcome.title_of_init(group)}"
        if group != PAPER_DETECTOR:
            paper = PaperTable(title, paper.rows, paper.columns)
    tasks = here.tasks
    if "" in tasks:
        tasks = dict.fromkeys(paper.columns, tasks[""])
    if _of_paper(place):
        planned = [PRETRAINING] if number == PRETRAINING else []
        tasks = {column: planned for column in paper.columns if paper.in_paper(column)} | tasks
    keys = [key for key in paper.columns if key in tasks] + [key for key in tasks if key not in paper.columns]
    keys.sort(key=lambda key: not tasks[key])  # what the study has first: data of one's own stand behind the paper's
    columns = tuple(
        Column(
            key,
            _title_of_column(key, paper, outcome),
            paper.in_paper(key),
            "" if number == PRETRAINING else _reference(outcome, found, place, key),
            tuple(tasks[key]),
        )
        for key in keys
    )
    rows = _rows(outcome, here, paper, number, columns)
    entries = {(row, c.key): _entry(outcome, found, place, row, c, paper) for row in rows for c in columns}
    notes = [paper.note] if paper.note else []
    shown = {value.run for values in here.values.values() for value in values}
    for run in outcome.runs.values():
        if run.id in shown:
            told = (_note(str(note), number) for note in run.content.get("notes") or ())
            notes += [note for note in dict.fromkeys(told) if note and note not in notes]
    return ResultTable(number, group, own, title, columns, rows, entries, paper.lower_is_better, tuple(notes))


def _entry(
    outcome: Outcome, found: Mapping[Place, TableValues], place: Place, row: str, column: Column, paper: PaperTable
) -> Entry:
    number, group, own = place
    init, reference = (group if number == LAYERS_TABLE else row), column.reference
    values = tuple(found.get(place, TableValues()).of(row, column.key))
    if number == LAYERS_TABLE:
        base = found.get((number, reference, own), TableValues()).of(row, column.key)
    else:
        base = found.get(place, TableValues()).of(reference, column.key)
    compared = bool(values and base) and reference not in ("", init)
    state, missing = _state(outcome, column.tasks, init, values)
    figure = paper.figures.get(row, {}).get(column.key)
    why = "" if figure is not None else NOT_IN_PAPER
    if row in BASELINES:
        state = QUOTED
    return Entry(
        init,
        values,
        state,
        missing,
        spread(_numbers(values)) if values else None,
        figure,
        why,
        value_difference(values, base) if compared else None,
    )


def _has_paper(paper: PaperTable) -> bool:
    return any(paper.figures.values())


def _of_paper(place: Place) -> bool:
    """Whether the paper's figures stand beside this table."""
    number, group, own = place
    return not own and group in ("", PAPER_DETECTOR if number == LAYERS_TABLE else "")


def _note(note: str, number: str) -> str:
    """A note of a run as a table shows it: one that begins with the number of another table is shown only there."""
    match = re.fullmatch(r"(?s)Table (\w+): (.*)", note)
    if match is None:
        return note
    return match[2] if match[1] == number else ""


def _numbers(values: Sequence[Value]) -> list[float]:
    return [value.value for value in values]


def value_difference(values: Sequence[Value], base: Sequence[Value]) -> Difference:
    """The difference of two cells, with an interval that covers what is known of seeds and test images.

    Raises:
        ValueError: If one has no value.
    """
    samples = ([value.resampled for value in side] for side in (values, base))
    return difference(_numbers(values), _numbers(base), *samples)


def _title_of_column(key: str, paper: PaperTable, outcome: Outcome) -> str:
    if key in paper.columns:
        return paper.columns[key]
    titles = {str(entry["key"]): str(entry.get("title") or entry["key"]) for entry in outcome.data}
    return str(outcome.tasks.get(key, {}).get("title") or titles.get(key) or _COLUMNS.get(key) or key)


def _reference(outcome: Outcome, found: Mapping[Place, TableValues], place: Place, column: str) -> str:
    """The study's reference if it has a value here, else the first initialization that has one."""
    number, _, own = place
    of_layers = number == LAYERS_TABLE
    having = {
        other[1] if of_layers else row
        for other, table in found.items()
        if other == place or (of_layers and other[0] == number and other[2] == own)
        for (row, key), values in table.values.items()
        if key == column and values
    }
    if of_layers and len(having) < 2:  # the layers of one detector have nothing to be compared with
        return ""
    return next((init for init in (outcome.reference, *outcome.inits, *sorted(having)) if init in having), "")


def _rows(
    outcome: Outcome, here: TableValues, paper: PaperTable, number: str, columns: Sequence[Column]
) -> dict[str, str]:
    having = {row for row, _ in here.values}
    if number == LAYERS_TABLE:
        known = list(LAYERS) if columns else []
        titles: Mapping[str, str] = LAYERS
    else:
        tasks = {PRETRAINING} if number == PRETRAINING else {task for column in columns for task in column.tasks}
        planned = {outcome.row_of(run) for run in outcome.runs.values() if run.task in tasks}
        found = [row for row in sorted(planned | having, reverse=True) if row.partition("@")[0] in outcome.inits]
        known = sorted(found, key=lambda row: (_rank(row.partition("@")[0], outcome.inits), "@" in row))
        titles = {**paper.rows, **{row: outcome.title_of_init(row) for row in known}}
        known += [row for row in paper.rows if paper.figures.get(row) and row not in known]
    return {row: titles.get(row, row) for row in [*known, *sorted(having - set(known))]}


def _state(outcome: Outcome, tasks: Sequence[str], init: str, values: Sequence[Value]) -> tuple[str, tuple[str, ...]]:
    if values and PRETRAINING in tasks:  # a training and its test: a column is of one of them, no seed is missing
        return "", ()
    having = {value.run for value in values}
    planned = [run for run in outcome.runs.values() if run.task in tasks and outcome.row_of(run) == init]
    missing = [run for run in planned if run.id not in having]
    states = {run.state for run in missing}
    state = next((state for state in (FAILED, DAMAGED, NOT_RUN) if state in states), "")
    if not state:
        state = NOT_MEASURED if DONE in states else NOT_PLANNED
    return "" if values else state, tuple(run.id for run in missing)


def _order(place: Place, outcome: Outcome) -> int:
    """Layers by their initialization; annotated levels before others."""
    number, group, _ = place
    return _rank(group, outcome.inits) if number == LAYERS_TABLE else len(group)


def _rank(key: str, order: Mapping[str, object]) -> int:
    return list(order).index(key) if key in order else len(order)
