"""Tables that say what the code says are held to it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from mmdetpre.compat.host_packages import TESTED, TESTED_FORK


@pytest.fixture(scope="module")
def model_zoo(repository: Path):
    spec = importlib.util.spec_from_file_location("model_zoo", repository / "docs" / "model_zoo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page_of_models(model_zoo) -> str:
    """What the page should be; reads every config."""
    return model_zoo.page()


def test_versions_are_those_that_are_checked(repository: Path) -> None:
    text = (repository / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| ([\w-]+) \| ([<>=.,\d]+) \|$", text, re.MULTILINE)) == TESTED | TESTED_FORK


def test_the_model_zoo_is_what_the_metafiles_say(model_zoo) -> None:
    for path, text in model_zoo.pages().items():
        assert path.read_text(encoding="utf-8") == text, "run: python docs/model_zoo.py"


def test_the_model_zoo_has_a_row_per_full_config(repository: Path, page_of_models: str) -> None:
    configs = {path.stem for path in (repository / "configs").rglob("*.py") if "_base_" not in path.parts}
    rows = re.findall(r"^\| `(\w+)` \|", page_of_models, re.MULTILINE)
    assert sorted(set(rows)) == sorted(name for name in configs if not name.endswith("_sample"))


def test_a_trained_model_shows_its_result(repository: Path, model_zoo) -> None:
    entry = yaml.safe_load((repository / "configs/det/metafile.yml").read_text())["Models"][0]
    assert "| not trained here |" in model_zoo.table([entry])
    trained = entry | {"Weights": "https://example.org/a.pth", "Results": [{"Metrics": {"box AP": 46.1}}]}
    assert "| box AP 46.1, [checkpoint](https://example.org/a.pth) |" in model_zoo.table([trained])
