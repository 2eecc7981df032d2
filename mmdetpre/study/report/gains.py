"""What each initialization gains by class and by size of objects, over training from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmdetpre.study.kinds import KINDS
from mmdetpre.study.records import DONE, Outcome, Part, Run
from mmdetpre.study.report.cell_values import Value
from mmdetpre.study.report.result_tables import value_difference
from mmdetpre.study.report.seed_statistics import Difference, Spread, spread
from mmdetpre.study.report.text_format import plain
from mmdetpre.study.spec import SCRATCH
from mmdetpre.utils.plain_text import counted

HEADS = {"class": "class", "size": "objects"}
_SIZES = {"small": "below 32² pixels", "medium": "32² to 96² pixels", "large": "above 96² pixels"}


@dataclass(frozen=True)
class PartGain:
    """A class or size.

    Attributes:
        name: Of it.
        count: How many objects, or images, were to be found; None where it is not known.
        base: Score of the reference; None where it has none.
        gains: Initialization -> difference to the reference; None where one of both has no number.
    """

    name: str
    count: int | None
    base: Spread | None
    gains: Mapping[str, Difference | None]


@dataclass(frozen=True)
class GainTable:
    """A table of gains.

    Attributes:
        task, title, kind: Of the task.
        by: ``class`` or ``size``.
        measure: What is measured.
        unit: What is counted: objects, or images.
        reference: Initialization that the gains are over.
        inits: The others.
        rows: In the order of the records.
        notes: What to know.
    """

    task: str
    title: str
    kind: str
    by: str
    measure: str
    unit: str
    reference: str
    inits: tuple[str, ...]
    rows: tuple[PartGain, ...]
    notes: tuple[str, ...] = ()


def base_of(outcome: Outcome, inits: Sequence[str]) -> str:
    """The initialization that others are compared with: from scratch, else the study's reference, else the first.

    Args:
        outcome: Of the study.
        inits: Those that can be compared; at least one.
    """
    return next((init for init in (SCRATCH, outcome.reference) if init in inits), inits[0])


def gain_tables(outcome: Outcome) -> list[GainTable]:
    """Tables of the tasks whose records have numbers by size and by class, in the order of the plan.

    A task with such numbers of one initialization alone has none: there is nothing to compare.
    """
    found = []
    for task in (task for task in outcome.tasks if outcome.shown_as(task) == task):
        runs = [run for run in outcome.runs.values() if run.task == task and run.state == DONE and run.init]
        for by in ("size", "class"):
            table = _table(outcome, task, by, runs)
            found += [table] if table else []
    return found


def _table(outcome: Outcome, task: str, by: str, runs: Sequence[Run]) -> GainTable | None:
    parts = [part for run in runs for part in run.parts if part.by == by]
    if not parts:
        return None
    measure, facts = parts[0].measure, outcome.tasks[task]
    values: dict[tuple[str, str], list[Value]] = {}
    counts: dict[str, int | None] = {}
    for run in runs:
        for part in run.parts:
            if (part.by, part.measure) == (by, measure):
                counts.setdefault(part.name, part.count)
                _add(values, run, part)
    having = {init for _, init in values}
    inits = [init for init in dict.fromkeys([*outcome.inits, *sorted(having)]) if init in having]
    if len(inits) < 2:
        return None
    base = base_of(outcome, inits)
    others = tuple(init for init in inits if init != base)
    rows = []
    for name, count in counts.items():
        of_base = values.get((name, base), [])
        gains = {init: _gain(values.get((name, init), []), of_base) for init in others}
        scores = spread([value.value for value in of_base]) if of_base else None
        rows.append(PartGain(name, count, scores, gains))
    kind = str(facts.get("kind") or "")
    unit = "objects" if kind in KINDS and KINDS[kind].toolbox == "mmdet" else "images"
    title = KINDS[kind].title if kind in KINDS else kind
    notes = _notes(by, rows)
    return GainTable(task, str(facts.get("title") or task), title, by, measure, unit, base, others, tuple(rows), notes)


def _add(values: dict[tuple[str, str], list[Value]], run: Run, part: Part) -> None:
    if part.value is not None:
        one = Value(run.id, run.seed, part.value, resampled=part.resampled)
        values.setdefault((part.name, str(run.init)), []).append(one)


def _gain(values: Sequence[Value], base: Sequence[Value]) -> Difference | None:
    return value_difference(values, base) if values and base else None


def _notes(by: str, rows: Sequence[PartGain]) -> tuple[str, ...]:
    if by == "size":
        known = [f"{row.name}: {_SIZES[row.name]}" for row in rows if row.name in _SIZES]
        return (f"By the area in the original image: {', '.join(known)}.",)
    intervals = sum(gain is not None and gain.low is not None for row in rows for gain in row.gains.values())
    if not intervals:
        return ()
    expected = plain(intervals / 20)
    return (
        f"Each interval stands alone: of {counted(intervals, 'interval')}, about {expected} would leave out zero if"
        " nothing differed.",
    )
