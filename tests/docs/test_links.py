"""Relative links, anchors and pictures of the pages lead somewhere, in the repository as on the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token


def slug(heading: str) -> str:
    """The anchor that GitHub and MyST give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    headings = (tokens[i + 1] for i, token in enumerate(tokens) if token.type == "heading_open")
    return {slug("".join(part.content for part in heading.children or [])) for heading in headings}


def targets(tokens: list[Token]) -> list[str]:
    found = []
    for token in tokens:
        value = token.attrGet("href") or token.attrGet("src")
        if value is not None:
            found.append(str(value))
        found += targets(token.children or [])
    return found


def broken(page: Path) -> list[str]:
    """The targets of a page that are not there."""
    found = []
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    for target in targets(tokens):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            found.append(target)
    return found


def test_every_target_is_there(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("target", ["missing.md", "#no-heading", "page.md#no-heading", "missing.png"])
def test_a_broken_target_is_found(tmp_path: Path, target: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# One heading\n\n[fine](#one-heading) [address](https://example.org) [broken]({target})\n")
    assert broken(page) == [target]


def test_every_page_is_in_the_table_of_contents(repository: Path) -> None:
    docs = repository / "docs"
    listed = set()
    for index in (docs / "index.md", docs / "api" / "index.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text(), re.DOTALL):
            names = [line for line in block.splitlines() if line and not line.startswith(":")]
            names = [re.sub(r".*<(.*)>", r"\1", name) for name in names]  # Title <name>
            for name in names:
                listed |= set(index.parent.glob(f"{name}.md")) or {index.parent / f"{name}.md"}
    pages = {path for path in docs.rglob("*.md") if "build" not in path.parts}
    assert pages - listed == {docs / "index.md"}
    assert {path for path in listed if not path.exists() and "*" not in path.name} == set()


def test_every_picture_is_shown(repository: Path) -> None:
    pages = [repository / "README.md", *(repository / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    pictures = {path.name for path in (repository / "docs" / "images").glob("*.png")}
    assert {name for name in pictures if f"images/{name}" not in text} == set()
