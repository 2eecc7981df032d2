"""Texts of others (names of classes, files, studies) where people and programs read them: nothing in them is live."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARKUP = re.compile(r"[\\`*\[\]<>|$~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.|(?<=mailto):|(?<=xmpp):|(?<=\S)@(?=\S)", re.IGNORECASE)
_BLOCK = re.compile(r"^(\s*)(#(?=#*(?:\s|$))|[+-](?=\s|$)|=(?=[=\s]*$)|-(?=[-\s]*$)|\d+(?=[.)](?:\s|$)))")


def one_line(text: object) -> str:
    """A text on one line: line breaks, control characters, half surrogates and marks that turn the direction of
    writing are shown as the escapes of Python.

    Example:
        >>> print(one_line("cat" + chr(10) + "dog" + chr(27) + "[2J"))
        cat\\ndog\\x1b[2J
    """
    return _HIDDEN.sub(_escape, str(text))


def printable(text: object) -> str:
    """A text of several lines without what `one_line` escapes, but for its line breaks.

    Example:
        >>> print(printable("two" + chr(10) + "lines" + chr(7)))
        two
        lines\\x07
    """
    return "\n".join(map(one_line, str(text).split("\n")))


def name_problem(name: object) -> str:
    """Why a name cannot stand in tables, lists and files; empty if it can.

    Example:
        >>> name_problem("traffic light"), name_problem("cat" + chr(10))
        ('', "holds the character '\\\\n'")
    """
    if not isinstance(name, str) or not name.strip():
        return "is empty" if isinstance(name, str) else f"is not text but {type(name).__name__}"
    found = _CONTROLS.search(name)
    if found is None:
        return ""
    return "is not valid Unicode (UTF-8)" if "\ud800" <= found[0] <= "\udfff" else f"holds the character {found[0]!r}"


def path_problem(path: object) -> str:
    """Why a path cannot stand in a config; empty if it can.

    mmengine replaces ``{{...}}`` in every config that it reads, also in those that it writes into work dirs itself.

    Example:
        >>> path_problem("my photos/{a}"), path_problem("{{ a }}")
        ('', "holds '{{', which mmengine replaces in configs")
    """
    return name_problem(str(path)) or ("holds '{{', which mmengine replaces in configs" if "{{" in str(path) else "")


def require_names(names: Iterable[object], what: str) -> None:
    """Refuse names that cannot be written.

    Args:
        names: The names.
        what: What they are, such as ``"data.json: category"``.

    Raises:
        ValueError: Names the first bad one, and what to do.
    """
    for name in names:
        if problem := name_problem(name):
            raise ValueError(f"{what} {name!r} {problem}: rename it, to printable characters on one line.")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV that a spreadsheet takes for data: a text that begins like a formula gets an apostrophe before it.

    Numbers stay as they are, also as text.

    Example:
        >>> print(csv_text([["class", "AP"], ["=1+1", -0.5], ["cat, dog", "-0.5"]]), end="")
        class,AP
        '=1+1,-0.5
        "cat, dog",-0.5
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(map(_cell, row)) for row in rows])
    return text.getvalue()


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    formula = value.lstrip(" \ufeff").startswith(_FORMULA) and not _NUMBER.fullmatch(value)
    return one_line(f"'{value}" if formula else value)


def markdown_text(text: object) -> str:
    """A text for Markdown, without blanks around it: no tag, link, emphasis, formula, cell or list comes out of it.

    Example:
        >>> print(markdown_text("<script> a|b [x](y) own_det 5 * 3"))
        \\<script\\> a\\|b \\[x\\](y) own_det 5 \\* 3
    """
    line = _MARKUP.sub(r"\\\g<0>", one_line(text).strip())
    line = _ADDRESS.sub(r"\\\g<0>", line)
    return _BLOCK.sub(
        lambda found: f"{found[1]}{found[2]}\\" if found[2].isdigit() else f"{found[1]}\\{found[2]}", line
    )


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    Example:
        >>> counted(1, "seed"), counted(3, "seed")
        ('1 seed', '3 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
