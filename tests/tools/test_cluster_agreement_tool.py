from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import write_features

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/cluster_agreement.py"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    random = np.random.default_rng(0)
    values = (random.normal(size=(4, 8))[np.arange(40) % 4] * 5 + random.normal(size=(40, 8))).astype(np.float32)
    for run, features in (("one", values), ("two", random.normal(size=(40, 5)).astype(np.float32))):
        write_features(tmp_path / run, {"fc1": features}, images=[f"{i}.jpg" for i in range(40)])
    kept = f"--clusters={tmp_path / 'clusters'}"
    return [f"--run=One={tmp_path / 'one'}", f"--run=Two={tmp_path / 'two'}", kept]


def test_compares_draws_and_writes(
    arguments: list[str], tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    plot, out = tmp_path / "new/agreement.png", tmp_path / "new/agreement.json"
    settings = ["--k", 20, 2, 40, "--samples", 2000, "--out", out]
    first = run_tool(TOOL, *arguments, *settings, "--plot", plot)
    assert first.returncode == 0, first.stderr
    result = json.loads(out.read_text())
    assert result["k"] == [2, 20, 40] and result["images"] == 40
    assert [space["dimensions"] for space in result["spaces"]] == [8, 5]
    assert result["directions"][0]["exact"][2] is None and "-: no two images share a cluster there" in first.stdout
    assert plot.read_bytes().startswith(b"\x89PNG") and "One -> Two" in first.stdout

    again = run_tool_here(TOOL, *arguments, *settings)
    assert again.returncode == 1 and "--force" in again.stderr and not again.stdout
    written = out.read_text()
    assert run_tool_here(TOOL, *arguments, *settings, "--force").returncode == 0 and out.read_text() == written
    assert run_tool_here(TOOL, *arguments, *settings[:-1], tmp_path / "agreement.csv").returncode == 0
    assert (tmp_path / "agreement.csv").read_text().splitlines()[1].startswith("One,Two,2,")
    same = [arguments[0], arguments[0].replace("One", "Same"), *arguments[2:], "--k", 2, 8, "--out", out, "--force"]
    assert run_tool_here(TOOL, *same).returncode == 0
    assert [way["sampled"] for way in json.loads(out.read_text())["directions"]] == [[1, 1], [1, 1]]


def test_help_shows_an_example(run_tool_here: Callable) -> None:
    shown = run_tool_here(TOOL, "--help")
    assert shown.returncode == 0 and "Example: python tools/analysis_tools/cluster_agreement.py" in shown.stdout


def test_says_what_is_wrong(arguments: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    write_features(tmp_path / "flat", {"fc1": np.ones((40, 8), np.float32)}, images=[f"{i}.jpg" for i in range(40)])
    for given, message in (
        (arguments, "1000 clusters of 40 images are impossible: give numbers of clusters up to 40, such as --k 2 4 8"),
        ([*arguments, "--k", 3, 3], "give different whole numbers from 1"),
        ([*arguments, "--samples", 0], "--samples 0: give 1 or more"),
        ([arguments[0], f"--run=F={tmp_path / 'flat'}", "--k", 2], "only 1 of the 40 images have different features"),
        ([arguments[0], f"--run=F={tmp_path / 'none'}"], "There is no folder of features at"),
    ):
        done = run_tool_here(TOOL, *given, f"--clusters={tmp_path / 'c'}")
        assert done.returncode == 1 and message in done.stderr, done.stderr
        assert done.stderr.splitlines()[-1].startswith("cluster_agreement: ") and not done.stdout
