"""The tables of a report in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmdetpre.paper.values import TEXT_VALUES
from mmdetpre.study.report.contents import Report
from mmdetpre.study.report.data_sizes import COLUMNS, DataSize
from mmdetpre.study.report.gains import HEADS, GainTable
from mmdetpre.study.report.how_to_read import READING
from mmdetpre.study.report.power import POINTS, POWER_COLUMNS
from mmdetpre.study.report.result_tables import Column, Entry, ResultTable
from mmdetpre.study.report.seed_statistics import Difference, Spread
from mmdetpre.study.report.text_format import DASH, plain, signed
from mmdetpre.utils.plain_text import counted, markdown_text
from mmdetpre.utils.tables import markdown_table


def markdown(report: Report) -> str:
    """Answers and tables. A cell without a number is a dash, with its cause in brackets."""
    outcome = report.outcome
    parts = [f"# {markdown_text(outcome.plan.get('title') or outcome.plan.get('name') or 'Study')}"]
    parts.append(_bullets(sentence for answer in report.answers for sentence in answer.sentences))
    parts.append(markdown_text(" ".join(report.size)))
    parts.append("\n\n".join(READING))
    if powers := [(answer.title, answer.quantity, *answer.needed.rows) for answer in report.answers if answer.needed]:
        parts.append(
            f"**How much it takes to see {POINTS:g} points**\n\n"
            + markdown_table(["task", "of", *POWER_COLUMNS], powers)
        )
    for curve in report.curves:
        head = ["initialization", *(f"{100 * fraction:g} %" for fraction in curve.fractions)]
        lines = [[outcome.title_of_init(init), *(_spread(one) for one in row)] for init, row in curve.rows.items()]
        told = f"**Labels**: {markdown_text(curve.title)}, {markdown_text(curve.quantity)}, by part of the labels"
        parts.append("\n\n".join([told, markdown_table(head, lines), _bullets(curve.sentences)]))
    parts.append(f"**Table 1**: Data sets, counted\n\n{_sizes(report.sizes)}")
    alone = False
    for table in sorted(report.tables, key=lambda table: table.of_paper_alone):  # the study's own first
        if table.of_paper_alone and not alone:
            alone = True
            parts.append("The tables that follow are the paper's alone: this study has no run for them.")
        parts += _titled(report, table)
    parts += [_gains(report, table) for table in report.gains]
    for found in report.configs:
        head = ["key", *map(outcome.title_of_init, found.inits)]
        told = f"**What differs between the configs**: {markdown_text(found.title)}"
        parts.append(f"{told}\n\n{markdown_table(head, [[key, *row] for key, row in found.rows.items()])}")
    text = markdown_table(["", "paper"], [[number.what, number.value] for number in TEXT_VALUES.values()])
    parts.append(f"**In the text of the paper**: numbers and settings\n\n{text}")
    if outcome.problems:
        parts.append(f"**What could not be used**\n\n{_bullets(outcome.problems)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def own_results(report: Report) -> str:
    """Answers and tables of a study that has numbers, as a part of another page.

    Args:
        report: Of the study.

    Raises:
        ValueError: If none of its runs has given a number yet.
    """
    tables = [table for table in report.tables if any(entry.values for entry in table.entries.values())]
    if not tables:
        raise ValueError("The study has no numbers yet: run it first, mmdetpre study run.")
    title = report.outcome.plan.get("title") or report.outcome.plan.get("name") or "Study"
    parts = [markdown_text(title), _bullets(sentence for answer in report.answers for sentence in answer.sentences)]
    parts += [part for table in tables for part in _titled(report, table)]
    return "\n\n".join(part for part in parts if part)


def _titled(report: Report, table: ResultTable) -> list[str]:
    """A table under its title, and its notes."""
    body = _table(report, table) if table.columns else "Nothing in this study belongs here."
    lower = " (lower is better)" * table.lower_is_better
    head = f"**{table.label}**: {markdown_text(table.title)}{lower}\n\n{body}"
    return [head, _bullets(table.notes)] if table.notes else [head]


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"* {markdown_text(sentence)}" for sentence in sentences)


def _sizes(rows: Sequence[DataSize]) -> str:
    head = ["data", *(text for title in COLUMNS.values() for text in (title, "paper"))]
    lines = []
    for row in rows:
        line = [markdown_text(row.title)]
        for column in COLUMNS:
            size = row.sizes.get(column)
            line += [DASH if size is None else f"{size:,}", row.of_paper(column) or DASH]
        lines.append(line)
    return markdown_table(head, lines, escape=False)


def _table(report: Report, table: ResultTable) -> str:
    head = [""]
    for column in table.columns:
        head += [markdown_text(column.title), *(["paper"] if column.in_paper else [])]
        head += [f"to {markdown_text(report.outcome.title_of_init(column.reference))}"] if column.reference else []
    lines = []
    for row, title in table.rows.items():
        line = [markdown_text(title)]
        for column in table.columns:
            line += _cells(table.entries[row, column.key], column)
        lines.append(line)
    return markdown_table(head, lines, escape=False)


def _cells(entry: Entry, column: Column) -> list[str]:
    cells = [_own(entry)]
    if column.in_paper:
        cells.append(DASH if entry.paper is None else plain(entry.paper))
    if column.reference:
        found = entry.difference
        if entry.values and entry.init == column.reference:
            cells.append("reference")
        else:
            cells.append(_difference(found))
    return cells


def _difference(found: Difference | None) -> str:
    if found is None:
        return DASH
    if found.low is None or found.high is None:
        return f"{signed(found.value)} (no interval)"
    return f"{signed(found.value)} [{plain(found.low)}, {plain(found.high)}]"


def _gains(report: Report, table: GainTable) -> str:
    name = report.outcome.title_of_init
    head = [HEADS[table.by], table.unit, name(table.reference), *(f"{name(init)}, gain" for init in table.inits)]
    lines = []
    for row in table.rows:
        count = DASH if row.count is None else f"{row.count:,}"
        lines.append([row.name, count, _spread(row.base), *(_difference(row.gains[init]) for init in table.inits)])
    told = f"**Gains by {table.by}**: {markdown_text(f'{table.title}, {table.kind}, {table.measure} in %')}"
    return "\n\n".join([told, markdown_table(head, lines), _bullets(table.notes)]).strip()


def _spread(one: Spread | None) -> str:
    """A mean with its deviation over the seeds."""
    if one is None:
        return DASH
    return plain(one.mean) if one.deviation is None else f"{plain(one.mean)} ± {plain(one.deviation)}"


def _own(entry: Entry) -> str:
    if entry.spread is None:
        return f"{DASH} ({entry.state})"
    mean = plain(entry.spread.mean)
    count, planned = entry.spread.count, entry.spread.count + len(entry.missing)
    seeds = counted(planned, "seed") if count == planned else f"{count} of {counted(planned, 'seed')}"
    if entry.spread.deviation is not None:
        return f"{mean} ± {plain(entry.spread.deviation)} ({seeds})"
    value = entry.values[0]
    if value.low is not None and value.high is not None:
        return f"{mean} [{plain(value.low)}, {plain(value.high)}]"
    return mean if value.seed is None else f"{mean} ({seeds})"
