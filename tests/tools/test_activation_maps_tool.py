from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

TOOL = Path(__file__).parents[2] / "tools/visualization/activation_maps.py"
SIZES = ["--resize-edge", 48, "--device", "cpu"]


@pytest.fixture
def files(repository: Path, tmp_path: Path) -> tuple[list[str], Path]:
    """A classifier's backbone alone, in the configs of a classifier and of a detector; and an image."""
    folder = repository / "configs"
    cfg = Config.fromfile(folder / "cls/imagenet_cls_sample.py")
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
    model.train()
    model.backbone(torch.randn(4, 3, 48, 48))  # statistics of the batch norms, as of a trained backbone
    torch.save({f"backbone.{k}": v for k, v in model.backbone.state_dict().items()}, tmp_path / "backbone.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    configs = {"cls": folder / "cls/imagenet_cls_sample.py", "det": folder / "det/sniper_coco_sample.py"}
    return [f"--model={name}={config},{tmp_path}/backbone.pth" for name, config in configs.items()], tmp_path / "1.png"


def test_detector_and_classifier_side_by_side(
    files: tuple[list[str], Path], tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    models, image = files
    plot, out = tmp_path / "new" / "maps.png", tmp_path / "new" / "maps.npz"
    first = run_tool(TOOL, *models, image, *SIZES, "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    assert plot.read_bytes().startswith(b"\x89PNG") and "1.png" in first.stdout
    with np.load(out) as stored:
        means = [stored["mean_0_0"], stored["mean_0_1"]]
        assert stored["models"].tolist() == ["cls", "det"]
    assert np.array_equal(*means) and means[0].ndim == 2  # one backbone, one preprocessing: the same numbers

    table = tmp_path / "maps.csv"
    again = run_tool_here(TOOL, *models, image, *SIZES, "--plot", plot, "--out", table)
    assert again.returncode == 1 and "--force" in again.stderr and not table.exists()
    again = run_tool_here(TOOL, *models, image, *SIZES, "--out", table)
    assert again.returncode == 0, again.stderr
    with table.open() as file:
        values = [float(row["mean"]) for row in csv.DictReader(file) if row["model"] == "cls"]
    assert values == means[0].ravel().tolist()


def test_says_what_is_wrong(files: tuple[list[str], Path], tmp_path: Path, run_tool_here: Callable) -> None:
    models, image = files
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    out = ["--out", tmp_path / "out.csv", *SIZES]
    for arguments, message in (
        ([models[0], image, *SIZES], "Nothing is to be written"),
        ([models[0], "nowhere.jpg", *out], "There is no image nowhere.jpg"),
        ([models[0], broken, *out], "broken.jpg cannot be read"),
        ([models[0], image, *out, "--overlay", "1"], "overlay is 1"),
        ([models[0], image, *out, "--layer", "conv5_pooled"], "choose a layer that gives maps, such as conv5"),
        ([models[0], image, *out, "--layer", "conv9"], "has no layer 'conv9'"),
        ([models[0], image, *out, "--cfg-options", "model.backbone.depth=34"], "backbone.pth"),
        (["--model", "a=config.py", image, *out], "another form than NAME=CONFIG,CHECKPOINT"),
    ):
        done = run_tool_here(TOOL, *arguments)
        assert done.returncode == 1 and message in done.stderr and not done.stdout, (arguments, done.stderr)
        assert not (tmp_path / "out.csv").exists()
