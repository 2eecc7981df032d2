"""The pages, docstrings, comments and messages use the terms of the field: docs/glossary.md."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = r"(data|samples?|world|images?|photos?|COCO|ImageNet\S*|OpenImages|VOC|sets?|layouts?|classes)"
# What is said instead, and the odd phrase as a pattern.
PHRASES = {
    "synthetic": rf"\bdrawn {DATA}\b|\bon drawn\b|\bis drawn is not a photo",
    "initialization": (
        r"\b(a|an|each|every|per|other|another|which|same|one|this|that|whose) start\b(?! (of|up|with|at|\w+ing)\b)"
        r"|\b(of|all|the|two|three|four|five|six|several|10|both|these|compares?|which|other|between|and|many) starts\b"
        r"|\bstarts (differ|compare|fit|fits)\b|\bstart of a study\b|\bstarts from [A-Z]\w+Net"
    ),
    "training or test images": r"\b(images?|photos?) to (learn from|test on|train on)\b",
    "highest-scoring": r"\bsurest\b",
    "is not a": (
        r"(?<!here )(?<!where )(?<!but )\b(is|are) no "
        r"(?!longer|more|less|other|such|better|worse|matter|way|one)[a-zA-Z]\w+"
    ),
    "resumes from": r"\b(goes|go|went|going) on (at|from) (its|their|the) last\b",
    "exists": r"\bwhose result stands\b|\bresult stands\b",
    "from scratch": r"\b(begins?|starts?|begun|started) anew\b",
    "belong in": r"\bbelongs? into\b",
    "reshuffled": r"\bdealt (out )?anew\b",
    "tabulated": r"\btabled\b",
    "the first N": r"\bfirst so many\b|\bso many images\b",
    "as a fraction": r"\bparts? of 1\b",
    "is invalid": r"\bnot as said\b",
    "ties go to": r"\bof equals,? the\b",
    "human-readable": r"\bfor people\b",
    "auto-detected": r"\bfound by (itself|themselves)\b",
    "similar": r"\b(takes?|taken) for alike\b",
    "identified, distinguished": r"\btold (by|apart|best|from)\b",
    "skipped": r"\bpassed over\b",
    "considered": r"\bare looked at\b|\bis looked at\b",
    "in progress": r"\bruns? at work\b",
    "made from other inputs": r"\bmade (of|from) something else\b",
    "with different preprocessing": r"\bprepared in another way\b",
    "the pipeline": r"\bthe (whole )?chain (works|runs)\b",
    "is loaded": r"\b(weights?|what|nothing|backbone|tensors?|parameters?|all) (that )?(has |have |had )?arrive[sd]?\b",
    "resolve": r"\bsettle[sd]?\b|\bsettling\b",
    "reports": r"\btells what helped\b",
}
PATTERN = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES.values()))
# Parts that are not clean yet, with what they hold at most: these numbers only go down.
NOT_YET = {"mmdetpre/sample": 3}  # text in files of the sample, whose bytes are checked
SOURCES = ("mmdetpre/**/*.py", "tools/**/*.py", "benchmarks/*.py", "configs/**/*.py", "docs/*.py")
PAGES = ("docs/**/*.md", "README.md", "benchmarks/README.md", "Makefile", ".github/**/*.*")


def prose_of_page(text: str) -> str:
    """A page without fenced blocks and inline code, which hold names and output."""
    return re.sub(r"`[^`\n]+`", "`...`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def prose_of_module(text: str) -> str:
    """Docstrings, messages and comments of a module, each with the lines of a sentence joined."""
    parts = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            parts.append(token.string.lstrip("# "))
        elif token.type in {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}:
            parts.append(token.string)
        elif token.type not in {tokenize.NL, tokenize.INDENT, tokenize.DEDENT}:
            parts.append("\n")
    return " ".join(parts)


def odd_phrases(text: str) -> Iterator[str]:
    for found in PATTERN.finditer(re.sub(r"\s+", " ", text)):
        yield found.group()


def part_of(path: Path) -> str:
    """A room of the package, a page, or the first folder: ``mmdetpre/chips``, ``docs/sniper.md``, ``tools``."""
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[:2] if parts[0] in {"mmdetpre", "docs"} else parts[:1])


def files_by_part() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(path for pattern in SOURCES + PAGES for path in ROOT.glob(pattern)):
        if not {".mim", "build", "_build", "changelog.md"} & set(path.parts):
            found.setdefault(part_of(path), []).append(path)
    return found


FILES = files_by_part()


@pytest.mark.parametrize("part", FILES)
def test_no_odd_phrase(part: str) -> None:
    found = []
    for path in FILES[part]:
        text = path.read_text(encoding="utf-8")
        prose = prose_of_module(text) if path.suffix == ".py" else prose_of_page(text)
        found += [f"{path.relative_to(ROOT)}: {phrase!r}" for phrase in odd_phrases(prose)]
    assert len(found) <= NOT_YET.get(part, 0), "\n".join(["see PHRASES for what is said instead:", *found])


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("x = 1  # the drawn sample", ["drawn sample"]),
        ('"""Two of the\nstarts were\n\n    passed over."""', ["the starts", "passed over"]),
        ('raise ValueError(f"{path} is no folder")', ["is no folder"]),
        ("drawn_data = is_no_folder(surest=1)", []),
        ('"""There is no file; a run starts at the start of a line, drawn boxes are drawn on it."""', []),
    ],
)
def test_phrases_of_modules(text: str, phrases: list[str]) -> None:
    assert list(odd_phrases(prose_of_module(text))) == phrases


def test_phrases_of_pages() -> None:
    assert list(odd_phrases(prose_of_page("`is no folder` is no\nfolder\n```\nthe drawn sample\n```\n"))) == [
        "is no folder"
    ]
