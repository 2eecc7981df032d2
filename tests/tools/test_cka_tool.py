from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import write_features

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/cka.py"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    random = np.random.default_rng(0)
    images = [f"{i}.jpg" for i in range(60)]
    conv, fc = random.normal(size=(60, 3, 2, 2)).astype(np.float32), random.normal(size=(60, 5)).astype(np.float32)
    write_features(tmp_path / "one", {"conv": conv, "fc": fc}, images=images)
    write_features(tmp_path / "two", {"fc": 2 * fc[:, ::-1], "flat": np.ones((60, 2), np.float32)}, images=images)
    return [f"--run=One={tmp_path / 'one'}", f"--run=Two={tmp_path / 'two'}", "--batch-size=20"]


def test_compares_draws_and_writes(arguments: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    plot, out, table = (tmp_path / "new" / name for name in ("cka.png", "cka.json", "cka.csv"))
    first = run_tool_here(TOOL, *arguments, "--layers", "fc", "conv", "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    result = json.loads(out.read_text())
    assert result["runs"] == [{"name": "One", "layers": ["fc", "conv"]}, {"name": "Two", "layers": ["fc"]}]
    assert result["cka"][0][0] == pytest.approx(1) and abs(result["cka"][1][0]) < 0.3
    assert (result["batches"], result["batch_size"], result["epochs"], result["seed"]) == (30, 20, 10, 0)
    assert ["fc", "1.000"] in [line.split() for line in first.stdout.splitlines()]
    assert plot.read_bytes().startswith(b"\x89PNG")

    assert run_tool_here(TOOL, *arguments, "--layers", "fc", "--out", table).returncode == 0
    assert list(csv.reader(table.open()))[:1] == [["One", "Two", "cka"]]
    assert float(list(csv.reader(table.open()))[1][2]) == pytest.approx(1)
    again = run_tool_here(TOOL, *arguments, "--layers", "fc", "--out", table)
    assert again.returncode == 1 and "--force" in again.stderr and not again.stdout


def test_help_shows_an_example(run_tool_here: Callable) -> None:
    shown = run_tool_here(TOOL, "--help")
    assert shown.returncode == 0 and "Example: python tools/analysis_tools/cka.py" in shown.stdout


def test_says_what_is_wrong(arguments: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    for given, message in (
        (arguments, "the layer 'flat' has the same value for all images: CKA is undefined"),
        ([*arguments, "--layers", "fc7"], "neither file has a layer 'fc7'"),
        ([*arguments, "--layers", "fc", "--batch-size=3"], "batch_size is 3"),
        ([arguments[0]], "1 feature files are given"),
        ([*arguments, "--out", tmp_path / "cka.txt"], "expected one of .json, .csv"),
    ):
        done = run_tool_here(TOOL, *given)
        assert done.returncode == 1 and message in done.stderr, done.stderr
        assert done.stderr.splitlines()[-1].startswith("cka: ") and not done.stdout
