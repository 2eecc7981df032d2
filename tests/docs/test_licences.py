from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def licences(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", repository / "docs" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_has_every_locked_package(licences: ModuleType) -> None:
    page = licences.PAGE.read_text()
    assert [name for name in licences.locked_names() if f"\n| {name} | " not in page] == []


def test_no_installed_package_is_other_than_permissive_without_a_word(licences: ModuleType) -> None:
    stated = {name: licences.licence(name) for name in licences.locked_names()}
    installed = {name: text for name, text in stated.items() if text}
    assert len(installed) > 100
    untold = {
        name: text
        for name, text in installed.items()
        if not licences.is_permissive(text) and not licences.pattern_of(name)
    }
    assert untold == {}


def test_page_is_what_the_packages_state(licences: ModuleType) -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the page is of the versions that are locked for Python 3.11")
    assert licences.PAGE.read_text() == licences.page_text(licences.rows()), "run: python docs/licences.py"


def test_word_is_demanded_for_a_new_licence(licences: ModuleType) -> None:
    with pytest.raises(LookupError, match=r"not a word about it in NOTES: a_package \(AGPL-3.0\)"):
        licences.page_text({"a_package": "AGPL-3.0", "other": "MIT"})


def test_package_that_nobody_has_seen_must_be_installed_once(
    licences: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licences, "locked_names", lambda: ["a_package"])
    with pytest.raises(LookupError, match="a_package: install what the lock has"):
        licences.rows(tmp_path / "page.md")
    (tmp_path / "page.md").write_text("| a_package | MIT |\n")
    assert licences.rows(tmp_path / "page.md") == {"a_package": "MIT"}


@pytest.mark.parametrize(
    ("stated", "permissive"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0 OR MIT", True),
        ("MPL-2.0 AND MIT", False),
        ("NVIDIA proprietary", False),
        ("not stated", False),
    ],
)
def test_what_is_permissive(licences: ModuleType, stated: str, permissive: bool) -> None:
    assert licences.is_permissive(stated) is permissive
