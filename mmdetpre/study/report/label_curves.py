"""Scores over the part of the labels that was learned: how many labels does an initialization save?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmdetpre.study.kinds import KINDS
from mmdetpre.study.records import Outcome
from mmdetpre.study.report.conclusions import main_column
from mmdetpre.study.report.result_tables import ResultTable
from mmdetpre.study.report.seed_statistics import Spread
from mmdetpre.study.spec import SCRATCH

WIDTH, HEIGHT, MARGIN = 640, 260, 40
"""Of a picture, in its own units."""


@dataclass(frozen=True)
class LabelCurve:
    """A task with several parts of its labels.

    Attributes:
        task: Key of the whole task.
        title: Of it.
        quantity: What is measured.
        fractions: Rising.
        rows: Initialization -> score with each part, None where there is none.
        sentences: What the curves say of labels saved.
    """

    task: str
    title: str
    quantity: str
    fractions: tuple[float, ...]
    rows: Mapping[str, tuple[Spread | None, ...]]
    sentences: tuple[str, ...]

    @property
    def ticks(self) -> list[float]:
        """Where the parts lie from left to right."""
        return [self._x(fraction) for fraction in self.fractions]

    def _x(self, fraction: float) -> float:
        first, last = math.log(self.fractions[0]), math.log(self.fractions[-1])
        share = (math.log(fraction) - first) / ((last - first) or 1)
        return round(MARGIN + share * (WIDTH - 4 * MARGIN), 1)

    @property
    def lines(self) -> dict[str, list[tuple[float, float]]]:
        """Points of a picture: the part on a logarithmic scale, the score from the lowest to the highest."""
        means = [one.mean for row in self.rows.values() for one in row if one]
        low, high = (min(means), max(means)) if means else (0.0, 1.0)

        def place(fraction: float, mean: float) -> tuple[float, float]:
            share = (mean - low) / ((high - low) or 1)
            return self._x(fraction), round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)

        return {
            init: [place(f, one.mean) for f, one in zip(self.fractions, row, strict=True) if one]
            for init, row in self.rows.items()
        }


def label_curves(outcome: Outcome, tables: Sequence[ResultTable]) -> list[LabelCurve]:
    """A curve for each task of the plan with two parts of its labels or more that have numbers.

    Args:
        outcome: What the study left.
        tables: Its tables.
    """
    groups: dict[str, dict[float, str]] = {}
    for task, facts in outcome.tasks.items():
        if facts.get("whole") and outcome.shown_as(task) == task:
            groups.setdefault(str(facts["whole"]), {})[float(facts.get("fraction") or 1)] = task
    curves = []
    for whole, parts in groups.items():
        found = {fraction: main_column(tables, task) for fraction, task in sorted(parts.items())}
        cells = {fraction: place for fraction, place in found.items() if place}
        if len(cells) < 2:
            continue
        rows: dict[str, tuple[Spread | None, ...]] = {}
        for init in dict.fromkeys(row for table, _ in cells.values() for row in table.rows):
            entries = [table.entries.get((init, column.key)) for table, column in cells.values()]
            spreads = tuple(entry.spread if entry else None for entry in entries)
            if any(spreads):
                rows[init] = spreads
        fractions = tuple(cells)
        facts = outcome.tasks[parts[max(parts)]]
        title = str(facts.get("title") or whole)
        kind = KINDS.get(str(facts.get("kind")))
        quantity = (kind and kind.quantity) or next(column.title for _, column in cells.values())
        told = _saved(outcome, title, quantity, fractions, rows)
        curves.append(LabelCurve(whole, title, quantity, fractions, rows, told))
    return curves


def labels_needed(fractions: Sequence[float], means: Sequence[float | None], wanted: float) -> float | None:
    """The smallest part of the labels with which a curve reaches a score, between its points by the logarithm.

    Args:
        fractions: Rising.
        means: Score with each, None where there is none.
        wanted: The score.

    Returns:
        The first fraction if that reaches it already; None if no part does.

    Example:
        >>> round(labels_needed([0.01, 0.1, 1.0], [10, 20, 40], 30), 3)
        0.316
    """
    points = [(f, mean) for f, mean in zip(fractions, means, strict=True) if mean is not None]
    before: tuple[float, float] | None = None
    for fraction, mean in points:
        if mean >= wanted:
            if before is None:
                return fraction
            share = (wanted - before[1]) / (mean - before[1])
            return math.exp(math.log(before[0]) + share * (math.log(fraction) - math.log(before[0])))
        before = (fraction, mean)
    return None


def _saved(
    outcome: Outcome,
    title: str,
    quantity: str,
    fractions: Sequence[float],
    rows: Mapping[str, Sequence[Spread | None]],
) -> tuple[str, ...]:
    """What training from scratch reaches with the most labels, and with how many the others do."""
    base = rows.get(SCRATCH, ())
    if not base or base[-1] is None:
        return ()
    told, most = [], f"{100 * fractions[-1]:g} %"
    for init, row in rows.items():
        if init == SCRATCH:
            continue
        needed = labels_needed(fractions, [one.mean if one else None for one in row], base[-1].mean)
        name = outcome.title_of_init(init)
        if needed is None:
            text = f"{name} does not reach what scratch does with {most} of the labels"
        elif needed <= fractions[0]:
            text = f"{name} reaches with {100 * needed:g} % of the labels or fewer what scratch does with {most}"
        else:
            text = f"{name} reaches with about {100 * needed:.2g} % of the labels what scratch does with {most}"
        told.append(f"On {title}, {text} ({quantity}, means, no interval).")
    return tuple(told)
