from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / "tools/visualization/compare_segmentations.py"


@pytest.fixture
def voc(tiny_voc: Path) -> Path:
    return tiny_voc / "VOCdevkit/VOC2012"


@pytest.fixture
def runs(voc: Path, tmp_path: Path) -> list[str]:
    """One run that is right but for one image, one that sees nothing."""
    names = (voc / "ImageSets/Segmentation/val.txt").read_text().split()
    for run in ("right", "blind"):
        (tmp_path / run).mkdir()
        for name in names:
            truth = np.asarray(Image.open(voc / f"SegmentationClass/{name}.png"))
            found = np.where((truth == 255) | (run == "blind") | (name == names[2]), 0, truth).astype(np.uint8)
            Image.fromarray(found).save(tmp_path / f"{run}/{name}.png")
    return [f"--run={run}={tmp_path / run}" for run in ("right", "blind")]


def test_config(runs: list[str], voc: Path, tmp_path: Path, repository: Path, run_tool: Callable) -> None:
    config = repository / "configs/seg/deeplab_voc_sample.py"
    options = ["--config", config, "--cfg-options", f"test_dataloader.dataset.data_root={voc}"]
    out = tmp_path / "new/panels.png"
    table = tmp_path / "new/panels.csv"
    done = run_tool(TOOL, *runs, *options, "--largest-difference", 6, "--plot", out, "--out", table)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("2012_500003") and "6 images: " in done.stdout  # where the runs are alike
    assert cv2.imread(str(out)).shape[1] > 1000
    lines = [line.split(",") for line in table.read_text().splitlines()]
    assert lines[0] == ["image", "right", "blind"] and len(lines) == 7
    assert float(lines[1][1]) == 1 > float(lines[1][2])


def test_folders(runs: list[str], voc: Path, tmp_path: Path, run_tool_here: Callable) -> None:
    classes, out = tmp_path / "classes.txt", tmp_path / "panels.png"
    classes.write_text("background\nArrow\nHourglass\nArch\nClover\n")
    folders = ["--img-dir", voc / "JPEGImages", "--truth-dir", voc / "SegmentationClass", "--classes", classes]
    chosen = ["--ids", "2012_500002", "2012_500001", "--opacity", "0.5"]
    done = run_tool_here(TOOL, *runs, *folders, *chosen, "--plot", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(": 2012_500002, 2012_500001")
    again = run_tool_here(TOOL, *runs, *folders, *chosen, "--plot", out)
    assert again.returncode == 1 and "add --force" in again.stderr
    out.unlink()
    for arguments, message in (
        ([*runs, *folders], "Run 'right' has no prediction for 4 of 4 images"),  # those of the training images
        ([*runs, *folders[:2]], "either --config CONFIG, or --img-dir FOLDER --truth-dir FOLDER"),
        ([*runs, *folders, "--config", "a.py"], "either --config CONFIG"),
        (["--run=right", *folders], "another form than NAME=FILE, such as scratch=work_dirs/scratch/maps"),
        ([*runs, *folders, *chosen[:2], "--opacity", "2"], "The opacity is 2.0"),
    ):
        failed = run_tool_here(TOOL, *arguments, "--plot", out)
        assert failed.returncode == 1 and message in failed.stderr, failed.stderr
        assert failed.stderr.startswith("compare_segmentations: ") and len(failed.stderr.strip().splitlines()) == 1
    assert not out.exists()
