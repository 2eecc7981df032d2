"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from mmdetpre.utils.plain_text import one_line


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str] | None = None) -> str:
    """Lines of aligned columns, the first to the left and the others to the right, ``foot`` under a rule.

    Args:
        head: Titles of the columns.
        rows: Cells of each line.
        foot: Cells of the last line; None: no such line.

    Example:
        >>> print(text_table(["class", "AP"], [["cat", "71.5"], ["dog", "8.0"]]))
        class    AP
        -----  ----
        cat    71.5
        dog     8.0
    """
    head, foot = list(map(one_line, head)), list(map(one_line, foot or ()))
    rows = [list(map(one_line, row)) for row in rows]
    everything = [head, *rows, *([foot] if foot else [])]
    widths = [max(len(row[i]) for row in everything) for i in range(len(head))]
    rule = "  ".join("-" * width for width in widths)

    def line(row: Sequence[str]) -> str:
        return "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])

    lines = [line(head), rule, *map(line, rows)]
    return "\n".join([*lines, rule, line(foot)] if foot else lines)


def percent(value: float | None) -> str:
    """A fraction as a percentage, "-" where there is none.

    Example:
        >>> percent(0.5), percent(None)
        ('50.00', '-')
    """
    return "-" if value is None else f"{100 * value:.2f}"
