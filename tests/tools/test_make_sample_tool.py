from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdetpre.sample import object_classes

TOOL = Path(__file__).parents[2] / "tools/misc/make_sample.py"


def test_draws_reuses_and_refuses(tmp_path: Path, run_tool: Callable, run_tool_here: Callable) -> None:
    arguments = ["--out", str(tmp_path / "s"), "--train", "2", "--val", "1", "--size", "128x96", "--which", "target"]
    first = run_tool(TOOL, *arguments)
    assert first.returncode == 0, first.stderr
    assert "Sample ready" in first.stdout
    assert len(list((tmp_path / "s/OpenImages/train").iterdir())) == 2
    other = run_tool_here(TOOL, *arguments, "--seed", "1")
    assert other.returncode == 1
    assert "seed=0 (asked: 1)" in other.stderr


def test_every_layout_at_once(tmp_path: Path, run_tool_here: Callable) -> None:
    small = ["--train", "1", "--val", "1", "--size", "128x96"]
    made = run_tool_here(TOOL, "--layout", "all", "--out", str(tmp_path), *small)
    assert made.returncode == 0, made.stderr
    folders = {"sample", "sample_coco", "sample_voc", "sample_imagenet_loc", "sample_caltech256"}
    assert {path.name for path in tmp_path.iterdir()} == folders
    assert made.stdout.count("Sample ready") == 5


def test_default_folders_and_classes(tmp_path: Path, run_tool_here: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_tool_here(TOOL, "--layout", "voc", "--train", "1", "--val", "1", "--size", "128x96").returncode == 0
    sets = tmp_path / "data/sample_voc/VOCdevkit/VOC2012/ImageSets/Main"
    classes = {path.stem.removesuffix("_train") for path in sets.glob("*_train.txt")}
    assert classes == {one.name for one in object_classes("target")}, "the classes that no pre-training has seen"
    assert [len((sets / f"{part}.txt").read_text().split()) for part in ("train", "val")] == [1, 1]
    assert json.loads((tmp_path / "data/sample_voc/sample.json").read_text())["parameters"]["seed"] == 0
