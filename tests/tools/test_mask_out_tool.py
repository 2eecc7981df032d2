from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

TOOL = Path(__file__).parents[2] / "tools/visualization/mask_out.py"
SIZES = ["--resize-edge", 40, "--crop", 32, "--mask", 16, "--stride", 8, "--device", "cpu"]


@pytest.fixture
def files(repository: Path, tmp_path: Path) -> tuple[str, Path]:
    """A classifier of two classes with random weights, and an image in the folder of the second."""
    cfg = Config.fromfile(repository / "configs/cls/imagenet_cls_sample.py")
    cfg.merge_from_dict(
        {"model.backbone.base_channels": 4, "model.backbone.stem_channels": 4, "model.head.in_channels": 32}
        | {"model.head.num_classes": 2}
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
    cfg.dump(tmp_path / "config.py")
    meta = {"dataset_meta": {"classes": ["cat", "dog"]}}
    torch.save({"state_dict": model.state_dict(), "meta": meta}, tmp_path / "model.pth")
    (tmp_path / "dog").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "dog" / "1.png")
    return f"{tmp_path}/config.py,{tmp_path}/model.pth", tmp_path / "dog" / "1.png"


def test_draws_and_writes_the_same_twice(
    files: tuple[str, Path], tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    model, image = files
    both = ["--model", f"a={model}", "--model", f"b={model}", image, *SIZES]
    plot, out = tmp_path / "new" / "mask.png", tmp_path / "new" / "mask.json"
    first = run_tool(TOOL, *both, "--plot", plot, "--out", out)
    assert first.returncode == 0, first.stderr
    assert plot.read_bytes().startswith(b"\x89PNG") and "dog" in first.stdout
    content = json.loads(out.read_text())
    found = content["images"][0]["classifiers"]
    assert found["a"] == found["b"] and np.shape(found["a"]["probability"]) == (3, 3)
    assert content["settings"]["models"]["a"]["config"].endswith("config.py")

    table = tmp_path / "mask.csv"
    again = run_tool_here(TOOL, *both, "--plot", plot, "--out", table)
    assert again.returncode == 1 and "--force" in again.stderr and not table.exists()
    again = run_tool_here(TOOL, *both, "--out", table, "--label", 1, "--batch-size", 8)
    assert again.returncode == 0, again.stderr
    with table.open() as file:
        values = [float(row["probability"]) for row in csv.DictReader(file) if row["x"] and row["classifier"] == "a"]
    assert values == np.ravel(found["a"]["probability"]).tolist()


def test_says_what_is_wrong(files: tuple[str, Path], tmp_path: Path, run_tool_here: Callable) -> None:
    model, image = files
    broken = tmp_path / "dog" / "broken.jpg"
    broken.write_bytes(b"no image")
    one, out = ["--model", f"a={model}"], ["--out", tmp_path / "out.csv"]
    for arguments, message in (
        ([*one, image, *SIZES], "Nothing is to be written"),
        ([*one, "nowhere.jpg", *SIZES, *out], "There is no image nowhere.jpg"),
        ([*one, broken, *SIZES, *out], "broken.jpg cannot be read"),
        ([*one, image, *SIZES, *out, "--label", "2"], "no class number 2: give a number from 0 to 1"),
        ([*one, image, *SIZES, *out, "--label", "cow"], "no class 'cow'"),
        ([*one, image, *SIZES, *out, "--stride", "0"], "stride is 0"),
        ([*one, image, *SIZES, *out, "--mask", "33"], "mask of 33 pixels does not fit an image of 32"),
        ([*one, image, *SIZES, *out, "--cfg-options", "model.head.num_classes=3"], "trained for 2 classes"),
        (["--model", "a=config.py", image, *out], "another form than NAME=CONFIG,CHECKPOINT"),
    ):
        done = run_tool_here(TOOL, *arguments)
        assert done.returncode == 1 and message in done.stderr and not done.stdout, (arguments, done.stderr)
        assert not (tmp_path / "out.csv").exists()


def test_classes_of_numbered_folders_and_one_label_per_image(
    files: tuple[str, Path], tmp_path: Path, run_tool_here: Callable
) -> None:
    model, image = files
    numbered = tmp_path / "002.dog" / "1.png"
    numbered.parent.mkdir()
    numbered.write_bytes(image.read_bytes())
    out = tmp_path / "mask.json"
    done = run_tool_here(TOOL, "--model", f"a={model}", image, numbered, *SIZES, "--out", out)
    assert done.returncode == 0, done.stderr
    assert [entry["class"] for entry in json.loads(out.read_text())["images"]] == ["dog", "dog"]
    command = ["--model", f"a={model}", image, numbered, *SIZES, "--out", out, "--force", "--label"]
    assert run_tool_here(TOOL, *command, "cat", "1").returncode == 0
    assert [entry["class"] for entry in json.loads(out.read_text())["images"]] == ["cat", "dog"]
    done = run_tool_here(TOOL, *command, "cat", "1", "1")
    assert done.returncode == 1 and "3 labels for 2 images" in done.stderr
