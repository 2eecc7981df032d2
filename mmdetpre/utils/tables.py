"""Tables of text, aligned or in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

from mmdetpre.utils.plain_text import markdown_text, one_line

_ROW = DataRow("", "  ", "")
_SIMPLE = TableFormat(None, Line("", "-", "  ", ""), None, None, _ROW, _ROW, 0, None)
"""The format "simple" without the room that tabulate leaves around titles."""


def text_table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    foot: Sequence[object] | None = None,
    *,
    left: Collection[int] = (0,),
) -> str:
    """Lines of aligned columns, ``foot`` under a rule.

    Args:
        head: Titles of the columns.
        rows: Cells of each line, as many as there are titles.
        foot: Cells of the last line; None: no such line.
        left: Indices of the columns that are aligned to the left; the others are aligned to the right.

    Example:
        >>> print(text_table(["class", "AP"], [["cat", "71.5"], ["dog", "8.0"]], ["mean", "39.8"]))
        class    AP
        -----  ----
        cat    71.5
        dog     8.0
        -----  ----
        mean   39.8
    """
    parts = [[head], [*rows], [] if foot is None else [foot]]
    shown = [[[one_line(str(cell)) for cell in row] for row in part] for part in parts]
    lines = [*shown[0], SEPARATING_LINE, *shown[1], *([SEPARATING_LINE, *shown[2]] if shown[2] else [])]
    align = ["left" if i in left else "right" for i in range(len(head))]
    table = tabulate(lines, tablefmt=_SIMPLE, disable_numparse=True, colalign=align, preserve_whitespace=True)
    return "\n".join(line.rstrip() for line in table.splitlines())


def markdown_table(
    head: Sequence[object], rows: Iterable[Sequence[object]], *, escape: bool = True, right: Collection[int] = ()
) -> str:
    """A table in Markdown.

    Args:
        head: Titles of the columns.
        rows: Cells, as many in each.
        escape: Whether cells are texts; False: they are Markdown already.
        right: Indices of the columns that are aligned to the right.

    Example:
        >>> print(markdown_table(["a|b", "c"], [["x", 1]]))
        | a\\|b | c |
        | --- | --- |
        | x | 1 |
    """
    shown = markdown_text if escape else str
    lines = [
        list(map(shown, head)),
        ["---:" if i in right else "---" for i in range(len(head))],
        *(list(map(shown, row)) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(value: float | None) -> str:
    """A fraction as a percentage, "-" where there is none.

    Example:
        >>> percent(0.5), percent(None)
        ('50.00', '-')
    """
    return "-" if value is None else f"{100 * value:.2f}"
