from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/detection_errors.py"
BOXES = np.array([[0, 0, 10, 10], [20, 0, 40, 10], [0, 30, 20, 40]], np.float32)
TRUTH = GroundTruth([0, 0, 1], BOXES, [0, 1, 0], [False] * 3)


def write_run(path: Path, *, detections: int = 3, names: tuple[str, str] = ("a", "b"), truth: bool = True) -> Path:
    kept = slice(detections)
    Detections(
        ("cat", "dog"), names, TRUTH.image[kept], BOXES[kept], np.float32([0.9, 0.8, 0.7])[kept], TRUTH.labels[kept],
        truth=TRUTH if truth else None,
    ).save(path)  # fmt: skip
    return path


def test_table_files_and_no_overwriting(tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    a, b = write_run(tmp_path / "a.npz"), write_run(tmp_path / "b.npz", detections=1)
    out, plot = tmp_path / "new/errors.json", tmp_path / "new/errors.png"
    runs = ["--run", f"all={a}", "--run", f"one={b}"]
    first = run_tool(TOOL, *runs, "--out", out, "--plot", plot)
    assert first.returncode == 0, first.stderr
    assert "  all objects" in first.stdout and "one - all" in first.stdout
    result = json.loads(out.read_text())
    assert [run["levels"]["all"][0]["missed"] for run in result["runs"].values()] == [0, 2]
    assert plot.read_bytes().startswith(b"\x89PNG")

    again = run_tool_here(TOOL, *runs, "--out", out)
    assert again.returncode == 1 and "add --force" in again.stderr
    table = run_tool_here(TOOL, *runs, "--out", tmp_path / "errors.csv", "--occlusion", "covered", "--groups", "none")
    assert table.returncode == 0 and (tmp_path / "errors.csv").read_text().startswith(
        "measure,property,level,number,all"
    )


def test_ground_truth_from_a_config(
    tmp_path: Path, tiny_sample: Path, repository: Path, run_tool_here: Callable
) -> None:
    from mmdetpre.evaluation.detections.from_config import annotations_of_config, with_annotations

    config = repository / "configs/det/sniper_openimages_sample.py"
    option = {"test_dataloader.dataset.data_root": f"{tiny_sample}/"}
    annotations = annotations_of_config(config, option)
    truth = annotations.ground_truth()
    assert len(annotations.names) == 6 and len(truth) > 6 and Path(annotations.paths[0]).is_file()
    run = tmp_path / "run.npz"
    order = slice(None, None, -1)  # another order of images, and only five of the six
    names = annotations.names[order][:5]
    keep = np.flatnonzero(np.isin(truth.image, [annotations.names.index(name) for name in names]))
    image = np.array([names.index(annotations.names[i]) for i in truth.image[keep]])
    rows = keep[np.argsort(image, kind="stable")]
    Detections(
        annotations.classes, names, np.sort(image), truth.boxes[rows], np.ones(len(rows)), truth.labels[rows]
    ).save(run)
    arguments = ["--run", f"perfect={run}", "--config", config, "--cfg-options"]
    arguments.append(f"test_dataloader.dataset.data_root={tiny_sample}/")
    result = run_tool_here(TOOL, *arguments)
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if "all objects" in line)
    assert line.split()[2:4] == [f"{int((~truth.ignore[rows]).sum()):,}", "0.0"]

    marked = with_annotations(replace(Detections.load(run), plus_one=True), annotations, "the config")
    assert not marked.plus_one and np.array_equal(marked.boxes, Detections.load(run).boxes + np.float32([0, 0, 1, 1]))
    assert np.array_equal(marked.ground_truth().boxes, truth.boxes[rows])

    wrong = run_tool_here(TOOL, "--run", f"x={write_run(tmp_path / 'other.npz')}", *arguments[2:])
    assert wrong.returncode == 1 and "The classes of the detections are not those of" in wrong.stderr
    empty = tmp_path / "config.py"
    empty.write_text("train_dataloader = None\n")
    nothing = run_tool_here(TOOL, "--run", f"x={run}", "--config", empty)
    assert nothing.returncode == 1 and "has no test_dataloader" in nothing.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "{a}"], "has another form than NAME=FILE"),
        (["--run", "x={a}", "--run", "x={b}"], "Two runs are called 'x'"),
        (["--run", "x={a}nowhere.npz"], "There is no file of detections"),
        (["--run", "x={text}"], "is not a file of detections"),
        (["--run", "x={a}", "--run", "y={b}"], "are on other images"),
        (["--run", "x={untrue}"], "Run 'x': .*without ground truth"),
        (["--run", "x={a}", "--out", "errors.txt"], "expected one of .json, .csv"),
        (["--run", "x={a}", "--occlusion", "flags"], "No object is flagged"),
        (["--run", "x={a}", "--occlusion", "levels.csv"], "There is no occlusion file"),
        (["--run", "x={a}", "--groups", "voc"], "does not have"),
        (["--run", "x={a}", "--iou-thr", "2"], "iou_thr is 2.0"),
    ],
)
def test_one_error_each(tmp_path: Path, run_tool_here: Callable, arguments: list[str], message: str) -> None:
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    files = {
        "a": write_run(tmp_path / "a.npz"),
        "b": write_run(tmp_path / "b.npz", names=("a", "c")),
        "untrue": write_run(tmp_path / "untrue.npz", truth=False),
        "text": text,
    }
    result = run_tool_here(TOOL, *(argument.format(**files) for argument in arguments))
    assert result.returncode == 1 and not result.stdout
    assert len(result.stderr.strip().splitlines()) == 1
    assert re.search(message, result.stderr), result.stderr
