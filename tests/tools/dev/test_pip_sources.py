from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def pip_sources(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("pip_sources", repository / "tools" / "dev" / "pip_sources.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LISTING = """\
:env:.find-links='/wheels'
global.constraint='/etc/constraints.txt'
global.extra-index-url='file:///one/simple\\nfile:///two/simple'
global.find-links='/other'
global.index-url='https://mirror.example/simple'
"""


def test_sources_are_taken_over_and_constraints_are_not(pip_sources: ModuleType) -> None:
    assert pip_sources.uv_settings(pip_sources.pip_settings(LISTING), {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "file:///one/simple file:///two/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_settings_of_uv_win(pip_sources: ModuleType) -> None:
    environment = {"UV_DEFAULT_INDEX": "https://mine.example/simple", "UV_INDEX": "", "UV_FIND_LINKS": "/mine"}
    assert pip_sources.uv_settings(pip_sources.pip_settings(LISTING), environment) == {}


def test_no_settings_need_nothing(pip_sources: ModuleType) -> None:
    assert pip_sources.uv_settings(pip_sources.pip_settings(""), {}) == {}
