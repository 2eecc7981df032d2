from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from mmdetpre.hooks.write_labels_hook import CLASSES, FILE, ImageLabel
from mmdetpre.utils.class_list import class_names_text
from mmdetpre.utils.whole_file import write_rows, write_text

TOOL = Path(__file__).parents[2] / "tools/visualization/compare_classifications.py"


def test_draws_and_says_what_is_missing(tmp_path: Path, run_tool_here: Callable) -> None:
    for run, right in (("a", 0), ("b", 1)):
        rows = []
        for i in range(3):
            Image.new("RGB", (32, 24)).save(tmp_path / f"{i}.png")
            rows.append((tmp_path / f"{i}.png", 1, int(i == right), 0.75, 0.75 if i == right else 0.25))
        write_rows(tmp_path / run / FILE, [ImageLabel._fields, *rows])
        write_text(tmp_path / run / CLASSES, class_names_text(["cat", "dog"]))
    runs, out = [f"--run={run}={tmp_path / run}" for run in "ab"], tmp_path / "scores.csv"
    done = run_tool_here(TOOL, *runs, "--gains-and-losses", 1, "--plot", tmp_path / "out.jpg", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/1.png, -50 points: " + f"{tmp_path.name}/0.png")
    lines = out.read_text().splitlines()
    assert lines[0] == "image,a,b" and [line.split(",")[1:] for line in lines[1:]] == [
        ["0.25", "0.75"],
        ["0.75", "0.25"],
    ]
    assert Image.open(tmp_path / "out.jpg").width > 800
    (tmp_path / "a" / CLASSES).write_text("cat\n")
    failed = run_tool_here(TOOL, *runs, "--out", tmp_path / "other.csv")
    assert failed.returncode == 1 and "labels.csv has labels beyond the 1 classes of classes.txt" in failed.stderr
    (tmp_path / "a" / FILE).unlink()
    failed = run_tool_here(TOOL, *runs, "--out", tmp_path / "other.csv")
    assert failed.returncode == 1 and "a holds neither labels.csv nor results of layer_probes.py" in failed.stderr
