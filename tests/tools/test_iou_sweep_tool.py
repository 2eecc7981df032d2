from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/iou_sweep.py"


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    truth = GroundTruth([0, 1], [[0, 0, 9, 9], [5, 5, 24, 24]], [0, 1], [False, False])
    for name, shift in (("scratch", 3), ("pretrained", 1)):
        boxes = truth.boxes + [0, 0, 0, shift]
        run = Detections(("cat", "dog"), ("a", "b"), [0, 1], boxes, [0.9, 0.8], [0, 1], truth=truth, plus_one=True)
        run.save(tmp_path / f"{name}.npz")
    return [f"--run={name}={tmp_path}/{name}.npz" for name in ("scratch", "pretrained")]


def test_prints_draws_and_writes(runs: list[str], tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    plot, out = tmp_path / "new" / "sweep.png", tmp_path / "new" / "sweep.json"
    first = run_tool(TOOL, *runs, "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    # as the files say: 10/13 and 20/23 overlap in one run, 10/11 and 20/21 in the other
    lines = {line[:15].strip(): line.split() for line in first.stdout.splitlines()}
    assert lines["scratch"][-3:] == ["100.0", "50.0", "0.0"]
    assert lines["pretrained"][-3:] == ["100.0", "100.0", "100.0"]
    assert lines["minus scratch"][-3:] == ["+0.0", "+50.0", "+100.0"]
    assert plot.read_bytes().startswith(b"\x89PNG") and len(json.loads(out.read_text())["runs"]) == 2

    again = run_tool_here(TOOL, *runs, "--plot", plot)
    assert again.returncode == 1 and "--force" in again.stderr and not again.stdout
    table = tmp_path / "sweep.csv"
    options = ("--iou-thrs", "0.5", "0.75", "--eval-mode", "area", "--half-open")
    csv = run_tool_here(TOOL, *runs, *options, "--out", table, "--plot", plot, "--force")
    assert csv.returncode == 0, csv.stderr
    assert table.read_text().splitlines()[0] == "run,class,boxes,detections,AP50,AP75"
    # 9 / 12 without the last pixel is exactly 0.75
    assert table.read_text().splitlines()[1] == "scratch,cat,1,1,1.0,1.0"
    options = ("--iou-thrs", "0.76", "--out", table, "--force")
    for option, found in (("--half-open", "0.0"), ("--no-half-open", "1.0")):
        assert run_tool_here(TOOL, *runs, *options, option).returncode == 0
        assert table.read_text().splitlines()[1] == f"scratch,cat,1,1,{found}"


def test_says_what_is_wrong(runs: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    missing = run_tool_here(TOOL, "--run=a=nowhere.npz")
    assert missing.returncode == 1 and "no file of detections nowhere.npz" in missing.stderr
    other = tmp_path / "other.npz"
    Detections(("cat",), ("a",), [], [], [], []).save(other)
    blind = run_tool_here(TOOL, *runs, f"--run=blind={other}")
    assert blind.returncode == 1 and "Run 'blind'" in blind.stderr and "without ground truth" in blind.stderr
