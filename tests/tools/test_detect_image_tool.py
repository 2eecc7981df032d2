from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

TOOL = Path(__file__).parents[2] / "tools/visualization/detect_image.py"


@pytest.fixture(scope="module")
def arguments(repository: Path, tiny_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> list:
    path = repository / "configs/det/sniper_openimages_sample.py"
    init_default_scope("mmdet")
    model = MODELS.build(Config.fromfile(path).model)
    checkpoint = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=list("abcdefgh")))), checkpoint)
    return [path, checkpoint, min((tiny_sample / "OpenImages/validation").glob("*"))]


def test_draws_and_refuses_to_overwrite(
    arguments: list, tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    out, numbers = tmp_path / "new" / "found.png", tmp_path / "new" / "found.json"
    first = run_tool(TOOL, *arguments, "--plot", out, "--out", numbers, "--score-thr", "0.05", "--device", "cpu")
    assert first.returncode == 0, first.stderr
    picture, photo = np.asarray(Image.open(out)), Image.open(arguments[2])
    assert picture.shape[1] >= photo.width and picture.std() > 0
    assert f"detections drawn in {out}" in first.stdout
    found = json.loads(numbers.read_text())
    assert found["classes"] == list("abcdefgh") and f"{len(found['scores'])} detections written to" in first.stdout
    assert len(found["scores"]) == len(found["labels"]) == len(found["bboxes"])
    assert found["scores"] == sorted(found["scores"], reverse=True) and all(len(box) == 4 for box in found["bboxes"])
    before = out.read_bytes()
    second = run_tool_here(TOOL, *arguments, "--plot", out)
    assert second.returncode == 1 and "--force" in second.stderr and out.read_bytes() == before


@pytest.mark.parametrize(
    "changed, options, message",
    [
        ({2: "absent.jpg"}, [], "There is no image absent.jpg"),
        ({1: "absent.pth"}, [], "There is no checkpoint absent.pth"),
        ({}, ["--scales", "192,256", "--test-ranges", "0,90", "75,0"], "1 scales but 2 test_ranges"),
        ({}, ["--cfg-options", "model.roi_head.bbox_head.num_classes=3"], "was trained for 8 classes"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list, tmp_path: Path, run_tool_here: Callable, changed: dict, options: list, message: str
) -> None:
    given = [changed.get(i, argument) for i, argument in enumerate(arguments)]
    result = run_tool_here(TOOL, *given, "--plot", tmp_path / "found.png", *options)
    assert result.returncode == 1 and message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())


def test_what_is_written_is_known_before_anything_is_loaded(
    arguments: list, tmp_path: Path, run_tool_here: Callable
) -> None:
    for option, message in (("--plot", "expected one of .png, .jpg"), ("--out", "expected one of .json, .csv")):
        result = run_tool_here(TOOL, *arguments, option, tmp_path / "found.txt")
        assert result.returncode == 1 and message in result.stderr
    result = run_tool_here(TOOL, *arguments)
    assert result.returncode == 1 and "Nothing is to be written: give --plot, --out or both" in result.stderr


def test_rows_and_the_option_of_before(arguments: list, tmp_path: Path, run_tool_here: Callable) -> None:
    result = run_tool_here(TOOL, *arguments, "--out", tmp_path / "found.png", "--device", "cpu")
    assert result.returncode == 0 and "use --plot" in result.stderr and Image.open(tmp_path / "found.png").width > 0
    result = run_tool_here(TOOL, *arguments, "--out", tmp_path / "found.csv", "--device", "cpu")
    head, *rows = (tmp_path / "found.csv").read_text().splitlines()
    assert result.returncode == 0 and head == "class,score,x1,y1,x2,y2"
    assert f"{len(rows)} detections written to" in result.stdout and all(row[0] in "abcdefgh" for row in rows)
