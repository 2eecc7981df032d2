from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"build", "_build"}


def pages() -> list[Path]:
    """README, CHANGELOG and every page of the site."""
    found = sorted(path for path in (ROOT / "docs").rglob("*.md") if not GENERATED & set(path.parts))
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *found]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
