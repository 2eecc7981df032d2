from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools/misc/make_sample.py"


def test_draws_reuses_and_refuses(tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    arguments = ["--out", str(tmp_path / "s"), "--train", "2", "--val", "1", "--size", "128x96", "--which", "target"]
    first = run_tool(TOOL, *arguments)
    assert first.returncode == 0, first.stderr
    assert "Sample ready" in first.stdout
    assert len(list((tmp_path / "s/OpenImages/train").iterdir())) == 2
    other = run_tool_here(TOOL, *arguments, "--seed", "1")
    assert other.returncode == 1
    assert "seed=0 (asked: 1)" in other.stderr
