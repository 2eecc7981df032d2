from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "benchmarks" / "collect_results.py"


def test_table_on_screen_and_in_a_file(tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    for name, value in (("one", 0.5), ("two", None)):
        data = tmp_path / "runs" / name / "20260101_000000" / "vis_data"
        data.mkdir(parents=True)
        (data / "config.py").write_text("")
        if value:
            (data / "scalars.json").write_text(json.dumps(dict(mAP=value, step=1)))
    shown = run_tool(TOOL, tmp_path / "runs")
    assert shown.returncode == 0, shown.stderr
    assert "| one | — | — | — | 0.500 | 0.500 |" in shown.stdout and "| two | — | — | — | — | — |" in shown.stdout
    out = tmp_path / "results.csv"
    assert run_tool_here(TOOL, tmp_path / "runs", "--out", out, "--metric", "mAP").returncode == 0
    assert out.read_text().splitlines()[2].startswith("two,,,,,,")
    again = run_tool_here(TOOL, tmp_path / "runs", "--out", out)
    assert again.returncode == 1 and "--force" in again.stderr
    assert run_tool_here(TOOL, tmp_path / "runs", "--out", out, "--force").returncode == 0


def test_errors_are_one_line(tmp_path: Path, run_tool_here: Callable) -> None:
    for arguments, message in (
        ([tmp_path], "no run in"),
        ([tmp_path / "none"], "is not a folder"),
        ([tmp_path, "--out", tmp_path / "x.txt"], "expected one of .csv, .json, .md"),
    ):
        found = run_tool_here(TOOL, *arguments)
        assert found.returncode == 1 and message in found.stderr and found.stderr.count("\n") == 1
    assert "Example: python tools/benchmarks/collect_results.py" in run_tool_here(TOOL, "--help").stdout
