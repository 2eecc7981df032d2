from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools/misc/make_sample.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True)


def test_draws_reuses_and_refuses(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "s"), "--train", "2", "--val", "1", "--size", "128x96", "--which", "target"]
    first = run(*arguments)
    assert first.returncode == 0, first.stderr
    assert "Sample ready" in first.stdout
    assert len(list((tmp_path / "s/OpenImages/train").iterdir())) == 2
    other = run(*arguments, "--seed", "1")
    assert other.returncode == 1
    assert "seed=0 (asked: 1)" in other.stderr and "Traceback" not in other.stderr
