"""Texts of others stay texts: in Markdown, CSV and tables."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetpre.utils.plain_text import (
    csv_text,
    markdown_text,
    name_problem,
    one_line,
    path_problem,
    printable,
)
from mmdetpre.utils.tables import markdown_table, text_table

PIECES = [
    *(
        "<script>",
        "</b>",
        "<!--",
        "[x](javascript:alert(1))",
        "![x](http://a.b/c.png)",
        "`",
        "``",
        "*",
        "**",
        "_",
        "__",
    ),
    *("~~", "|", "\\", "&lt;", "&#60;", "&", "#", "# ", "- ", "+ ", "1. ", "1)", "---", "===", "> ", "<http://a.b>"),
    *("$", "$$", "[a]: b", "[^1]", "http://a.b", "www.a.b", "a@b.cd", "\n", "\n\n", "\t", "    ", "\r", "\u2028"),
    *("\x00", "\ud800", "\u202e", "a", "0", " "),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(st.characters(), max_size=12)


@settings(max_examples=400)
@given(TEXTS)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    reader = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shown = " ".join(one_line(text).split())

    def said(rendered: str, tags: tuple[str, ...]) -> str:
        for tag in tags:
            assert rendered.startswith(f"<{tag}>") and rendered.endswith(f"</{tag}>"), rendered
            rendered = rendered.removeprefix(f"<{tag}>").removesuffix(f"</{tag}>").strip()
        assert "<" not in rendered and ">" not in rendered, rendered
        return " ".join(html.unescape(rendered).split())

    assert said(reader.render(f"x {markdown_text(text)}").strip(), ("p",)) == f"x {shown}".strip()
    if shown:
        assert said(reader.render(f"# {markdown_text(text)} x").strip(), ("h1",)) == f"{shown} x"
        assert said(reader.render(f"* {markdown_text(text)}").strip(), ("ul", "li")) == shown
    table = reader.render(markdown_table([text, "b"], [[text, "c"]]))
    assert table.count("<th>") == table.count("<td>") == 2 and table.count("<") == table.count("</") * 2
    for mark in (r"(?<!\\)://", r"www\.", "a@b"):  # what GitHub makes a link of
        assert not re.search(mark, markdown_text(text))


FORMULAS = st.sampled_from(["=1+1", "+cmd", "-2+3", "@x", "\t=1", " =1", "-0.5", "5%", "1e-3"])


@settings(max_examples=300)
@given(st.lists(st.tuples(TEXTS | FORMULAS, TEXTS | FORMULAS).map(list), max_size=4))
def test_csv_holds_no_formula(rows: list[list[str]]) -> None:
    text = csv_text(rows)
    assert text.count("\n") == len(rows) and "\r" not in text
    for row, cells in zip(rows, csv.reader(io.StringIO(text)), strict=True):
        assert len(cells) == 2
        for given_cell, cell in zip(row, cells, strict=True):
            assert cell.removeprefix("'") == one_line(given_cell).removeprefix("'")
            if cell.strip()[:1] in "=+-@" and cell.strip():
                float(cell.rstrip("%"))


def test_csv_keeps_numbers() -> None:
    assert csv_text([[1, -0.5, None, "-0.5", "-", "a\nb"]]) == "1,-0.5,,-0.5,'-,a\\nb\n"


def test_lines_stay_lines() -> None:
    assert one_line("a\nb\x1b[31m\ud800\u202e") == "a\\nb\\x1b[31m\\ud800\\u202e"
    assert printable("a\nb\x07") == "a\nb\\x07"
    table = text_table(["class\nx"], [["a\nb"], ["\x1b[2Jc"]], ["sum\n"])
    assert table.count("\n") == 5 and "\x1b" not in table


def test_names_that_cannot_be_written_say_why() -> None:
    assert name_problem("größe 😀 \u200d") == ""
    assert [name_problem(name) for name in ("", " ", 5, "a\n", "\udcff")] == [
        "is empty", "is empty", "is not text but int", "holds the character '\\n'", "is not valid Unicode (UTF-8)"
    ]  # fmt: skip
    assert path_problem("/a/{b}") == "" and "mmengine replaces" in path_problem("/a/{{b")
