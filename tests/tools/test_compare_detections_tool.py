from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.utils.results import read_results
from mmdetpre.visualization.image_scores import ImageScores

TOOL = Path(__file__).parents[2] / "tools/visualization/compare_detections.py"


def write_runs(folder: Path) -> list[str]:
    """Two runs on three small pictures; the second finds the object of the last one too."""
    names = ("a", "b", "c")
    for name in names:
        cv2.imwrite(str(folder / f"{name}.png"), np.full((48, 64, 3), 90, np.uint8))
    boxes = np.array([[5, 5, 40, 40]] * 3, np.float32)
    run = Detections(
        ("cat",), names, [0, 1], boxes[:2], [0.9, 0.9], [0, 0],
        paths=[str(folder / f"{name}.png") for name in names],
        truth=GroundTruth([0, 1, 2], boxes, [0] * 3, [False] * 3),
    )  # fmt: skip
    run.save(folder / "one.npz")
    replace(run, image=[0, 1, 2], boxes=boxes, scores=[0.9] * 3, labels=[0] * 3).save(folder / "two.npz")
    return ["--run", f"one={folder / 'one.npz'}", "--run", f"two={folder / 'two.npz'}"]


def test_draws_once_and_does_not_overwrite(tmp_path: Path, run_tool_here: Callable) -> None:
    runs, out = write_runs(tmp_path), tmp_path / "new/compared.png"
    first = run_tool_here(TOOL, *runs, "--plot", out, "--largest-difference", 1)
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip().endswith(": c")
    assert cv2.imread(str(out)).shape[1] > 1000
    again = run_tool_here(TOOL, *runs, "--plot", out)
    assert again.returncode == 1 and "add --force" in again.stderr
    forced = run_tool_here(TOOL, *runs, "--plot", out, "--ids", "b", "a", "--force")
    assert forced.returncode == 0 and forced.stdout.strip().endswith(": b, a") and not forced.stderr


def test_numbers_stand_beside_the_picture(tmp_path: Path, run_tool_here: Callable) -> None:
    runs, plot = write_runs(tmp_path), tmp_path / "compared.png"
    for name in ("found.csv", "found.json"):
        done = run_tool_here(TOOL, *runs, "--out", tmp_path / name, "--ids", "c", "a")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "found.csv").read_text().splitlines() == ["image,one,two", "c,0.0,1.0", "a,1.0,1.0"]
    (scores,) = read_results(tmp_path / "found.json", ImageScores, "a test")
    assert (scores.images, scores.values) == (("c", "a"), ((0.0, 1.0), (1.0, 1.0)))
    nothing = run_tool_here(TOOL, *runs)
    assert nothing.returncode == 1 and "give --plot, --out or both" in nothing.stderr
    before = run_tool_here(TOOL, *runs, "--out", plot)
    assert before.returncode == 0 and "use --plot" in before.stderr and plot.is_file()


def test_moved_images_are_asked_for_and_found(tmp_path: Path, run_tool_here: Callable) -> None:
    runs, out = write_runs(tmp_path), tmp_path / "compared.png"
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in "abc":
        shutil.move(tmp_path / f"{name}.png", moved / f"{name}.png")
    lost = run_tool_here(TOOL, *runs, "--plot", out)
    assert lost.returncode == 1 and len(lost.stderr.strip().splitlines()) == 1
    assert "3 of 3 images are not at the paths" in lost.stderr and not out.exists()
    found = run_tool_here(TOOL, *runs, "--plot", out, "--img-dir", moved, "--first", 2)
    assert found.returncode == 0, found.stderr


def test_one_error_each(tmp_path: Path, run_tool_here: Callable) -> None:
    runs, out = write_runs(tmp_path), tmp_path / "compared.png"
    for arguments, message in (
        ([*runs, "--plot", out, "--ids", "z"], "no image 'z'"),
        ([*runs[:2], "--plot", out], "1 runs are given"),
        ([*runs, "--out", tmp_path / "compared.txt"], "expected one of .json, .csv"),
        ([*runs, "--plot", out, "--first", 0], "give 1 or more"),
    ):
        result = run_tool_here(TOOL, *arguments)
        assert result.returncode == 1 and message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert not out.exists()
