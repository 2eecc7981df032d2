from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.analysis.features.feature_file import write_features

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/closest_pairs.py"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Two spaces of 40 photos in four classes; two pairs of each are close in one space only."""
    random = np.random.default_rng(0)
    names = [f"{'abcd'[i % 4]}/{i}.jpg" for i in range(40)]
    values = random.normal(size=(4, 8))[np.arange(40) % 4] * 5 + random.normal(size=(40, 8))
    other = values.copy()
    values[1], other[2] = values[4] + 0.01, other[7] + 0.01
    for run, features in (("one", values), ("two", other)):
        write_features(
            tmp_path / run,
            {"fc1": features.astype(np.float32), "fc2": -features[:, :5].astype(np.float32)},
            images=names,
            labels=np.arange(40) % 4,
            classes=list("abcd"),
            metadata={"data": {"folder": str(tmp_path / "photos")}},
        )
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(255, size=(24, 32, 3), dtype=np.uint8)).save(path)
    kept = f"--clusters={tmp_path / 'clusters'}"
    return [f"--run=One={tmp_path / 'one'}", f"--run=Two={tmp_path / 'two'}", "--layer", "fc1", kept, "--close-k=20"]


def test_finds_draws_and_writes(arguments: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    plot, out = tmp_path / "new/pairs.png", tmp_path / "new/pairs.json"
    first = run_tool_here(TOOL, *arguments, "--pairs=3", "--metric=l2", "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    report = json.loads(out.read_text())
    assert [one["pairs"][0]["rows"] for one in report["lists"]] == [[1, 4], [2, 7], [1, 4], [2, 7]]
    assert (report["close_k"], report["distant_k"], report["seed"]) == (20, 4, 0)
    assert "close in One, distant in Two" in first.stdout and plot.read_bytes().startswith(b"\x89PNG")
    assert "\nb/1.jpg" in first.stdout

    again = run_tool_here(TOOL, *arguments, "--plot", plot)
    assert again.returncode == 1 and "--force" in again.stderr and not again.stdout
    written = out.read_text()
    repeated = run_tool_here(TOOL, *arguments, "--pairs=3", "--metric=l2", "--out", out, "--force")
    assert repeated.returncode == 0 and out.read_text() == written
    table = run_tool_here(TOOL, *arguments, "--pairs=3", "--metric=l2", "--out", tmp_path / "pairs.csv")
    assert table.returncode == 0, table.stderr
    assert (tmp_path / "pairs.csv").read_text().splitlines()[1].startswith("closest in One,b/1.jpg,a/4.jpg,b,a,")
    only = run_tool_here(TOOL, *arguments, "--closest-only", "--close-k=1001", "--once", "--classes=different")
    assert only.returncode == 0 and "distant" not in only.stdout, only.stderr


def test_help_shows_an_example(run_tool_here: Callable) -> None:
    shown = run_tool_here(TOOL, "--help")
    assert shown.returncode == 0 and "Example: python tools/analysis_tools/closest_pairs.py" in shown.stdout


def test_says_what_is_wrong(arguments: list[str], tmp_path: Path, run_tool_here: Callable) -> None:
    (tmp_path / "photos/b/1.jpg").unlink()
    write_features(tmp_path / "flat", {"fc1": np.ones((40, 8), np.float32)}, images=[f"{i}" for i in range(40)])
    constant = np.repeat(np.arange(40, dtype=np.float32)[:, None], 8, axis=1)
    write_features(tmp_path / "rows", {"fc1": constant}, images=[f"{i}" for i in range(40)])
    write_features(tmp_path / "single", {"fc1": np.ones((1, 8), np.float32)}, images=["0"])
    flat, rows, single = (
        [f"--run=A={tmp_path / name}", f"--run=B={tmp_path / name}"] for name in ("flat", "rows", "single")
    )
    for given, message in (
        ([*arguments, "--close-k=1001"], "1001 clusters (--close-k) of 40 images are impossible"),
        ([*arguments, "--plot", tmp_path / "p.png"], "1 of 40 photos are not there, e.g. "),
        ([*arguments, "--layer", "fc7"], "has no layer 'fc7': it holds fc1, fc2"),
        ([arguments[0]], "1 feature files are given: two are compared"),
        ([arguments[0], "--run=x"], "another form than NAME=FILE, such as ImageNet=work_dirs/features/imagenet"),
        ([*rows, "--closest-only"], "the features of image 0 all have the value 0: their correlation"),
        ([*flat, "--closest-only", "--metric=l2"], "all 40 images have the same features"),
        ([*arguments, "--pairs=0"], "--pairs 0: give 1 or more"),
        (single, "holds 1 image(s)"),
    ):
        done = run_tool_here(TOOL, *given)
        assert done.returncode == 1 and message in done.stderr, done.stderr
        assert done.stderr.startswith("closest_pairs: ") and len(done.stderr.splitlines()) == 1 and not done.stdout
