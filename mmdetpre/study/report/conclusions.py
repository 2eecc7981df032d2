"""The answer of a study: per task one plain sentence that says no more than the numbers do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mmdetpre.study.kinds import KINDS, PRETRAINING
from mmdetpre.study.records import DONE, Outcome
from mmdetpre.study.report.cell_values import COVERED, FLAGS, LAYERS_TABLE
from mmdetpre.study.report.power import Needed, needed
from mmdetpre.study.report.result_tables import NOT_PLANNED, QUOTED, Column, Entry, ResultTable, value_difference
from mmdetpre.study.report.seed_statistics import Difference
from mmdetpre.study.report.text_format import covered, listed, plain, points, seeds
from mmdetpre.study.spec import SCRATCH
from mmdetpre.utils.plain_text import counted

HELPS, HURTS, OPEN, NO_INTERVAL, REFERENCE = "helps", "hurts", "unclear", "no interval", "reference"
ALONE = "only result"
_UNFINISHED, _NO_NUMBER, _LEVEL, _BEST_LAYER = "unfinished", "no number", "level", "best layer"
_MORE = "On {title}, {init} {verb} {difference} {noun} than {reference} ({why})"
SENTENCES = {
    _UNFINISHED: "On {title} ({kind}), no run has finished: {states}.",
    _NO_NUMBER: "On {title}, the runs that finished gave no number.",
    ALONE: "On {title}, only {reference} has a result for {noun}: there is nothing to compare.",
    _LEVEL: "On {title}, {init} and {reference} are level in {subject} ({why}).",
    NO_INTERVAL: f"{_MORE}.",
    OPEN: "On {title}, there is no clear difference between {init} and {reference} in {subject} ({difference}, {why}).",
    HELPS: f"{_MORE}: it helps.",
    HURTS: f"{_MORE}: it hurts.",
    _BEST_LAYER: "On {title}, {layer} has the highest accuracy of {layers} of {init} ({mean} %{interval}).",
}
"""What is the case -> what is said."""
_MISSED = {
    ("3", "low"): "of the objects of low occlusion",
    ("3", "medium"): "of the objects of medium occlusion",
    (FLAGS, "visible"): "of the visible objects",
    (FLAGS, "occluded"): "of the occluded objects",
    (COVERED, "visible"): "of the objects that no box overlaps",
    (COVERED, "occluded"): "of the objects that other boxes overlap",
}
"""Table 3 (or source of its levels) and column -> what is missed."""


@dataclass(frozen=True)
class Effect:
    """One initialization beside the reference.

    Attributes:
        init: Its key.
        entry: Its cell.
        verdict: ``helps``, ``hurts``, ``unclear``, ``no interval``, ``reference``, ``only result``, or why
            there is no value.
    """

    init: str
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
        reference: Key of the initialization that the effects are to; empty if there is no comparison.
        effects: One per initialization, in the order of the plan.
        table: Number of the table, and its group and own task, that the answer is from; None if there is none.
        needed: How many seeds or test images it takes to see a small difference; None where variances are not known.
    """

    task: str
    title: str
    kind: str
    sentences: tuple[str, ...]
    quantity: str = ""
    reference: str = ""
    effects: tuple[Effect, ...] = ()
    table: ResultTable | None = None
    needed: Needed | None = None


def answers(outcome: Outcome, tables: Sequence[ResultTable]) -> list[Answer]:
    """One answer per task, in the order of the plan.

    The initialization with the highest gain is named, of those whose interval is clear of zero if there are any: over
    training from scratch first, then over the study's reference. Every initialization is in ``effects``, compared with
    the first of these.

    Args:
        outcome: What the study left.
        tables: Its tables.
    """
    return [_answer(outcome, tables, task) for task in outcome.tasks if outcome.shown_as(task) == task]


def _answer(outcome: Outcome, tables: Sequence[ResultTable], task: str) -> Answer:
    facts = outcome.tasks[task]
    title, kind = str(facts.get("title") or task), str(facts.get("kind") or "")
    kind = KINDS[kind].title if kind in KINDS else kind
    states = Counter(run.state for run in outcome.runs.values() if outcome.shown_as(run.task) == task)
    of_task = [(table, [column for column in table.columns if task in column.tasks]) for table in tables]
    filled = [(table, columns) for table, columns in of_task if columns and table.number != PRETRAINING]
    if not filled or not states[DONE]:
        counts = listed([f"{count} {state}" for state, count in states.items()]) or "none planned"
        return Answer(task, title, kind, (SENTENCES[_UNFINISHED].format(title=title, kind=kind, states=counts),))
    of_layers = filled[0][0].number == LAYERS_TABLE
    found = [] if of_layers else [found for pair in filled if (found := _measured(*pair))]
    sentences = _best_layers(outcome, filled, title) if of_layers else _sentences(outcome, found, title)
    if not sentences:
        return Answer(task, title, kind, (SENTENCES[_NO_NUMBER].format(title=title),))
    if of_layers:
        return Answer(task, title, kind, tuple(sentences))
    table, column = found[0]
    reference = next(iter(_references(outcome, table, column)), column.reference)
    entries = _compared(table, column, reference)
    planned = {row: entry for row, entry in entries.items() if entry.state not in (NOT_PLANNED, QUOTED)}
    effects = [Effect(row, e, verdict(e, table, row == reference)) for row, e in planned.items()]
    if not any(effect.entry.difference for effect in effects):
        effects = [replace(e, verdict=ALONE) if e.verdict == REFERENCE else e for e in effects]
    quantity = column.title if table.lower_is_better else _noun(table, column)
    power = needed([effect.entry.difference for effect in effects if effect.entry.difference])
    return Answer(task, title, kind, tuple(sentences), quantity, reference, tuple(effects), table, power)


def _references(outcome: Outcome, table: ResultTable, column: Column) -> list[str]:
    """What is compared with: training from scratch first; then, of several others, the study's reference."""
    having = [row for row in table.rows if table.entries[row, column.key].values]
    others = [row for row in having if row != SCRATCH]
    other = column.reference if column.reference in others else next(iter(others), "")
    found = [SCRATCH] if SCRATCH in having and others else []
    return [*found, other] if len(others) > 1 else found


def _compared(table: ResultTable, column: Column, reference: str) -> dict[str, Entry]:
    """The cells of a column, with their differences to a reference."""
    entries = {row: table.entries[row, column.key] for row in table.rows}
    if reference == column.reference:
        return entries
    base = entries[reference].values

    def compared(row: str, entry: Entry) -> Difference | None:
        return value_difference(entry.values, base) if entry.values and row != reference else None

    return {row: replace(entry, difference=compared(row, entry)) for row, entry in entries.items()}


def main_column(tables: Sequence[ResultTable], task: str) -> tuple[ResultTable, Column] | None:
    """The table and column that the answer of a task is from; None if there is no number.

    Args:
        tables: Of the study.
        task: Its key.
    """
    for table in tables:
        columns = [column for column in table.columns if task in column.tasks]
        if columns and table.number != PRETRAINING and (found := _measured(table, columns)):
            return found
    return None


def _measured(table: ResultTable, columns: Sequence[Column]) -> tuple[ResultTable, Column] | None:
    """The first column with a number, those of the paper before others."""
    for column in sorted(columns, key=lambda column: not column.in_paper):
        if any(table.entries[row, column.key].values for row in table.rows):
            return table, column
    return None


def verdict(entry: Entry, table: ResultTable, is_reference: bool) -> str:
    """What an interval says, in a word; why there is no value where there is none.

    Args:
        entry: Cell of the table.
        table: The table, which knows its reference.
        is_reference: Whether the cell is the reference itself.
    """
    if not entry.values:
        return entry.state
    return REFERENCE if is_reference else _judged(entry.difference, table)


def _judged(difference: Difference | None, table: ResultTable) -> str:
    direction = difference.direction if difference else None
    if direction is None:
        return NO_INTERVAL
    return {1: HELPS, -1: HURTS, 0: OPEN}[-direction if table.lower_is_better else direction]


def _noun(table: ResultTable, column: Column) -> str:
    """What there is more or less of."""
    missed = (_MISSED.get((place, column.key)) for place in (table.group, table.number))
    quantities = {kind.table: kind.quantity for kind in KINDS.values()}
    return next(filter(None, missed), None) or quantities.get(table.number) or column.title


def _sentences(outcome: Outcome, found: Sequence[tuple[ResultTable, Column]], title: str) -> list[str]:
    """One for each reference, of the first table, and on what is trained; of another table the one that the study
    compares with.
    """
    sentences: list[str] = []
    for table, column in found:
        references = _references(outcome, table, column)[-1 if sentences else 0 :]
        if not references:
            noun = _noun(table, column).removeprefix("of ")
            alone = next(row for row in table.rows if table.entries[row, column.key].values)
            told = outcome.title_of_init(alone)
            sentences.append(SENTENCES[ALONE].format(title=title, reference=told, noun=noun))
        sentences += [_sentence(outcome, table, column, title, one) for one in references]
        if (table, column) == found[0] and (less := _less_trained(table, column)):
            sentences.append(_sentence(outcome, table, column, title, less[0], less))
    return sentences


def _less_trained(table: ResultTable, column: Column) -> list[str]:
    """Row of the best initialization that is trained as a whole and in part, then its rows of parts."""
    spreads = {row: table.entries[row, column.key].spread for row in table.rows}
    means = {row: spread.mean for row, spread in spreads.items() if spread}
    parts = {row: [other for other in means if other.startswith(f"{row}@")] for row in means}
    best = max((row for row in means if parts[row]), key=means.__getitem__, default=None)
    return [] if best is None else [best, *parts[best]]


def _sentence(
    outcome: Outcome, table: ResultTable, column: Column, title: str, base: str, among: Sequence[str] = ()
) -> str:
    """What the best of some rows is beside another; without ``among`` of those that are trained alike."""
    noun, reference = _noun(table, column), outcome.title_of_init(base)
    if base == SCRATCH and reference == "from scratch":
        reference = f"training {reference}"
    reference += ", fine-tuned" if among else ""
    entries = _compared(table, column, base)
    compared = {row: entry.difference for row, entry in entries.items() if entry.difference and row != SCRATCH}
    among = among or [row for row in compared if row.partition("@")[2] == base.partition("@")[2]] or list(compared)
    compared = {row: one for row, one in compared.items() if row in among}
    sign = -1 if table.lower_is_better else 1
    row, best = max(compared.items(), key=lambda pair: (pair[1].direction == sign, sign * pair[1].value))
    case, less = _judged(best, table), "fewer" if table.lower_is_better else "less"
    if case == NO_INTERVAL and plain(best.value) == "0.0":
        case = _LEVEL
    return SENTENCES[case].format(
        title=title,
        init=outcome.title_of_init(row),
        reference=reference,
        verb="misses" if table.lower_is_better else "gives",
        difference=f"{points(best.value)} {less if best.value < 0 else 'more'}",
        noun=noun,
        subject=f"the missed share {noun}" if table.lower_is_better else noun,
        why=_why(best, entries[row]),
    )


def _why(best: Difference, entry: Entry) -> str:
    """The interval of the size that the sentence names, turned round where that is of a loss; or why there is none."""
    if best.low is None or best.high is None:
        if best.counts != (1, 1):
            return f"{seeds(best.counts)}, {best.why_no_interval}: no interval"
        without_seed = all(value.seed is None for value in entry.values)
        return "one run each: no interval" if without_seed else "one seed: no interval"
    low, high = (-best.high, -best.low) if best.value < 0 else (best.low, best.high)
    return f"95 % interval {plain(low)} to {plain(high)}, {covered(best)}"


def _best_layers(outcome: Outcome, tables: Sequence[tuple[ResultTable, Sequence[Column]]], title: str) -> list[str]:
    sentences = []
    for table, columns in tables:
        for column in columns:
            means = {row: spread.mean for row in table.rows if (spread := table.entries[row, column.key].spread)}
            if not means:
                continue
            row = max(means, key=means.__getitem__)
            values, interval = table.entries[row, column.key].values, ""
            if len(values) == 1 and values[0].low is not None and values[0].high is not None:
                interval = f", 95 % interval over the test images {plain(values[0].low)} to {plain(values[0].high)}"
            sentences.append(
                SENTENCES[_BEST_LAYER].format(
                    title=title,
                    layer=table.rows[row],
                    layers=counted(len(means), "layer"),
                    init=outcome.title_of_init(table.group),
                    mean=plain(means[row]),
                    interval=interval,
                )
            )
    return sentences
