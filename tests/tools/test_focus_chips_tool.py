"""The picture of a test from coarse to fine, and the tool that draws it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from mmdetpre.backbones import with_chosen_backbone

TOOL = Path(__file__).parents[2] / "tools/visualization/focus_chips.py"


@pytest.fixture(scope="module")
def arguments(repository: Path, tiny_coco: Path, tmp_path_factory: pytest.TempPathFactory) -> list:
    path = repository / "configs/det/sniper_coco_autofocus_sample.py"
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(with_chosen_backbone(Config.fromfile(path)).model)
    checkpoint = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=list("abcdefgh")))), checkpoint)
    return [path, checkpoint, min((tiny_coco / "val2017").glob("*"))]


def test_draws_each_scale_and_refuses_to_overwrite(arguments: list, tmp_path: Path, run_tool_here: Callable) -> None:
    out = tmp_path / "focus.png"
    everything = ["--cfg-options", "tta_model.focus.0.threshold=1.1", "tta_model.focus.1.threshold=0"]
    shown = ["--plot", out, "--score-thr", "0.1", "--device", "cpu"]
    first = run_tool_here(TOOL, *arguments, *shown, *everything)
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert [line.split(": ")[1] for line in lines[-4:-1]] == [
        "1 rectangles, 100 %",
        "1 rectangles, 100 %",
        "0 rectangles, 0 %",
    ]
    assert f"drawn in {out}" in lines[-1] and min(Image.open(out).size) > 500
    second = run_tool_here(TOOL, *arguments, *shown)
    assert second.returncode == 1 and "--force" in second.stderr


def test_a_config_that_sees_whole_images_is_one_line(
    arguments: list, tmp_path: Path, repository: Path, run_tool_here: Callable
) -> None:
    _, checkpoint, image = arguments
    plain = repository / "configs/det/sniper_coco_sample.py"
    result = run_tool_here(TOOL, plain, checkpoint, image, "--plot", tmp_path / "focus.png", "--device", "cpu")
    assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "tests by MultiScaleTTA: only mmdetpre.FocusTTA goes from coarse to fine" in result.stderr
