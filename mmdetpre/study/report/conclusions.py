"""The answer of a study: per task one plain sentence that says no more than the numbers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mmdetpre.study.records import DONE, Outcome
from mmdetpre.study.report.cell_values import COVERED, FLAGS, LAYERS_TABLE, PRETRAINING
from mmdetpre.study.report.result_tables import NOT_PLANNED, QUOTED, Column, Entry, ResultTable
from mmdetpre.study.report.seed_statistics import Difference
from mmdetpre.study.report.text_format import counted, listed, plain, points, seeds

HELPS, HURTS, OPEN, NO_INTERVAL, REFERENCE = "helps", "hurts", "cannot be told", "no interval", "reference"
ALONE = "only result"
KINDS = {
    "detection": "detection",
    "segmentation": "segmentation",
    "classification": "classification, fine-tuned",
    "linear": "linear classifier on frozen features",
    "layers": "layers of the detector",
}
_VERBS = {
    ("3", "low"): ("misses", "fewer", "of the objects of low occlusion"),
    ("3", "medium"): ("misses", "fewer", "of the objects of medium occlusion"),
    (FLAGS, "visible"): ("misses", "fewer", "of the visible objects"),
    (FLAGS, "occluded"): ("misses", "fewer", "of the occluded objects"),
    (COVERED, "visible"): ("misses", "fewer", "of the objects that no box overlaps"),
    (COVERED, "occluded"): ("misses", "fewer", "of the objects that other boxes overlap"),
    ("5", ""): ("gives", "less", "accuracy after fine-tuning"),
    ("6", ""): ("gives", "less", "accuracy of a linear classifier"),
}
"""Table (or source of the levels of Table 3) and column -> verb, what less of it is called, and what is counted."""


@dataclass(frozen=True)
class Effect:
    """One start beside the reference.

    Attributes:
        start: Its key.
        entry: Its cell.
        verdict: ``helps``, ``hurts``, ``cannot be told``, ``no interval``, ``reference``, ``only result``, or why there
            is no value.
    """

    start: str
    entry: Entry
    verdict: str


@dataclass(frozen=True)
class Answer:
    """What a task says.

    Attributes:
        task: Its key.
        title, kind: Of the task.
        sentences: The answer, then maybe one more.
        quantity: What is compared.
        reference: Key of the start that the effects are to; empty if there is no comparison.
        effects: One per start, in the order of the plan.
        table: Number of the table, and its group and own task, that the answer is from; None if there is none.
    """

    task: str
    title: str
    kind: str
    sentences: tuple[str, ...]
    quantity: str = ""
    reference: str = ""
    effects: tuple[Effect, ...] = ()
    table: ResultTable | None = None


def answers(outcome: Outcome, tables: Sequence[ResultTable]) -> list[Answer]:
    """One answer per task, in the order of the plan.

    The start with the greatest gain over the reference is named, of those whose interval is clear of zero if there are
    any. Every start stands in ``effects``.
    """
    return [_answer(outcome, tables, task) for task in outcome.tasks]


def _answer(outcome: Outcome, tables: Sequence[ResultTable], task: str) -> Answer:
    facts = outcome.tasks[task]
    title, kind = str(facts.get("title") or task), str(facts.get("kind") or "")
    kind = KINDS.get(kind, kind)
    mine = [table for table in tables if any(task in column.tasks for column in table.columns)]
    mine = [table for table in mine if table.number != PRETRAINING]
    runs = [run for run in outcome.runs.values() if run.task == task]
    if not mine or not any(run.state == DONE for run in runs):
        states = {state: sum(run.state == state for run in runs) for state in dict.fromkeys(run.state for run in runs)}
        what = listed([f"{count} {state}" for state, count in states.items()]) or "none planned"
        return Answer(task, title, kind, (f"On {title} ({kind}), no run has finished: {what}.",))
    if mine[0].number == LAYERS_TABLE:
        return Answer(task, title, kind, tuple(_best_layers(outcome, mine, task, title)) or (_nothing(title),))
    sentences: list[str] = []
    first: tuple[ResultTable, Column] | None = None
    for table in mine:
        columns = sorted((c for c in table.columns if task in c.tasks), key=lambda c: not c.in_paper)
        column = next((c for c in columns if any(table.entries[row, c.key].values for row in table.rows)), None)
        if column is not None:
            sentences.append(_sentence(outcome, table, column, title))
            first = first or (table, column)
    if first is None:
        return Answer(task, title, kind, (_nothing(title),))
    table, column = first
    rows = [row for row in table.rows if table.entries[row, column.key].state not in (NOT_PLANNED, QUOTED)]
    effects = [Effect(row, e, verdict(e, table, row == column.reference)) for row, e in _of(table, column, rows)]
    if not any(effect.entry.difference for effect in effects):
        effects = [replace(e, verdict=ALONE) if e.verdict == REFERENCE else e for e in effects]
    return Answer(
        task, title, kind, tuple(sentences), _quantity(table, column), column.reference, tuple(effects), table
    )


def verdict(entry: Entry, table: ResultTable, is_reference: bool) -> str:
    """What an interval says, in a word; why there is no value where there is none.

    Args:
        entry: Cell of the table.
        table: The table, which knows its reference.
        is_reference: Whether the cell is the reference itself.
    """
    if not entry.values:
        return entry.state
    if is_reference:
        return REFERENCE
    direction = entry.difference.direction if entry.difference else None
    if direction is None:
        return NO_INTERVAL
    if table.lower_is_better:
        direction = -direction
    return {1: HELPS, -1: HURTS, 0: OPEN}[direction]


def _of(table: ResultTable, column: Column, rows: Sequence[str]) -> list[tuple[str, Entry]]:
    return [(row, table.entries[row, column.key]) for row in rows]


def _words(table: ResultTable, column: Column) -> tuple[str, str, str]:
    places = ((table.group, column.key), (table.number, column.key), (table.number, ""))
    known = next((_VERBS[place] for place in places if place in _VERBS), None)
    return known or ("gives", "less", column.title)


def _quantity(table: ResultTable, column: Column) -> str:
    verb, _, noun = _words(table, column)
    return column.title if verb == "misses" else noun


def _nothing(title: str) -> str:
    return f"On {title}, the runs that finished gave no number."


def _sentence(outcome: Outcome, table: ResultTable, column: Column, title: str) -> str:
    compared = [(row, entry.difference) for row, entry in _of(table, column, list(table.rows)) if entry.difference]
    verb, less, noun = _words(table, column)
    reference = outcome.title_of_start(column.reference)
    if not compared:
        return f"On {title}, only {reference} has a result for {noun.removeprefix('of ')}: there is nothing to compare."
    sign = -1 if table.lower_is_better else 1
    row, best = max(compared, key=lambda pair: (pair[1].direction == sign, sign * pair[1].value))
    start = outcome.title_of_start(row)
    how = f"{points(best.value)} {less if best.value < 0 else 'more'}"
    if best.direction is None:
        if best.counts == (1, 1):
            why = "one run each: no interval" if _has_no_seed(table, column, row) else "one seed: no interval"
        else:
            why = f"{seeds(best.counts)}, {best.why_no_interval}: no interval"
        if plain(best.value) == "0.0":
            return f"On {title}, {start} and {reference} are level in {_subject(noun, verb)} ({why})."
        return f"On {title}, {start} {verb} {how} {noun} than {reference} ({why})."
    interval = f"95 % interval {_bounds(best)}, {seeds(best.counts)}"
    if best.direction == 0:
        return (
            f"On {title}, no difference can be told between {start} and {reference} in {_subject(noun, verb)}"
            f" ({points(best.value)} {less if best.value < 0 else 'more'}, {interval})."
        )
    word = "helps" if best.direction == sign else "hurts"
    return f"On {title}, {start} {verb} {how} {noun} than {reference} ({interval}): it {word}."


def _subject(noun: str, verb: str) -> str:
    return f"the missed share {noun}" if verb == "misses" else noun


def _bounds(found: Difference) -> str:
    """The interval of the size that the sentence names: turned round where that is of a loss."""
    low, high = found.low or 0.0, found.high or 0.0
    if found.value < 0:
        low, high = -high, -low
    return f"{plain(low)} to {plain(high)}"


def _has_no_seed(table: ResultTable, column: Column, row: str) -> bool:
    return all(value.seed is None for value in table.entries[row, column.key].values)


def _best_layers(outcome: Outcome, tables: Sequence[ResultTable], task: str, title: str) -> list[str]:
    sentences = []
    for table in tables:
        for column in table.columns:
            having = [(row, e) for row, e in _of(table, column, list(table.rows)) if e.spread and task in column.tasks]
            if not having:
                continue
            row, best = max(having, key=lambda pair: pair[1].spread.mean if pair[1].spread else 0.0)
            sure = ""
            if len(best.values) == 1 and best.values[0].low is not None and best.values[0].high is not None:
                low, high = plain(best.values[0].low), plain(best.values[0].high)
                sure = f", 95 % interval over the test images {low} to {high}"
            mean = plain(best.spread.mean) if best.spread else ""
            sentences.append(
                f"On {title}, {table.rows[row]} has the highest accuracy of {counted(len(having), 'layer')} of"
                f" {outcome.title_of_start(table.group)} ({mean} %{sure})."
            )
    return sentences
