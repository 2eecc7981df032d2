from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.evaluation.trimap.counts import count_image
from mmdetpre.evaluation.trimap.scores import TrimapScores
from mmdetpre.utils.results import write_results

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/trimap_curves.py"


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    truth = np.array([[0, 0, 0, 255, 1, 1, 1]])
    for name, first in (("scratch", [0, 0, 1]), ("pretrained", [0, 0, 0])):
        counts = count_image(truth, np.array([[*first, 0, 1, 1, 1]]), classes=2, widths=(1, 2))
        write_results(tmp_path / f"{name}.json", [TrimapScores.of_counts(counts, ("sheep", "cow"), "void")])
    return [f"--run={name}={tmp_path}/{name}.json" for name in ("scratch", "pretrained")]


def test_prints_draws_and_writes(runs: list[str], tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    plot, out = tmp_path / "new" / "trimap.png", tmp_path / "new" / "trimap.json"
    first = run_tool(TOOL, *runs, "--classes-at", "1", "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    lines = [line.split() for line in first.stdout.splitlines()]
    assert ["scratch", "70.83", "25.00", "58.33"] in lines
    assert ["minus", "scratch", "+29.17", "+75.00", "+41.67"] in lines
    assert ["sheep", "0.00", "100.00", "+100.00", "100.00", "100.00", "+0.00"] in lines
    assert plot.read_bytes().startswith(b"\x89PNG") and len(json.loads(out.read_text())["runs"]) == 2

    again = run_tool_here(TOOL, *runs, "--plot", plot)
    assert again.returncode == 1 and "--force" in again.stderr and not again.stdout
    table = tmp_path / "trimap.csv"
    csv = run_tool_here(TOOL, *runs, "--out", table, "--plot", plot, "--force")
    assert csv.returncode == 0 and "sheep" not in csv.stdout, csv.stderr
    assert table.read_text().splitlines()[1] == "scratch,whole,,sheep,3,0.6666666865348816,0.6666666865348816"


def test_says_what_is_wrong(runs: list[str], run_tool_here: Callable) -> None:
    for arguments, message in (
        (["--run=a=nowhere.json"], "There is no file nowhere.json"),
        (["--run=nowhere.json"], "another form than NAME=FILE, such as scratch=trimap.json"),
        ([*runs, "--classes-at", "7"], "no width 7: choose one of 1, 2"),
        ([runs[0], "--classes-at", "1"], "give a second --run"),
    ):
        done = run_tool_here(TOOL, *arguments)
        assert done.returncode == 1 and message in done.stderr and not done.stdout
