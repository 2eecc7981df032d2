"""A few steps of a training and a few images of its test, timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdetpre.study.runs.time_steps import NotBuilt, time_config


def test_a_detector_is_timed_and_leaves_nothing(
    sample_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cfg = sample_config(train_cfg__max_epochs=3, backbone_init="coco")  # weights that nobody has trained yet
    cfg.dump(tmp_path / "config.py")
    before = sorted(tmp_path.rglob("*"))
    found = time_config(tmp_path / "config.py", tta=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert set(found) == {"begin", "step", "steps", "image", "images", "train_images"} and min(found.values()) > 0
    assert found["steps"] % 3 == 0 and found["images"] == int(found["images"]) < found["train_images"]


def test_a_model_that_cannot_be_built_is_told(sample_config: Callable[..., Config], tmp_path: Path) -> None:
    sample_config(model__backbone__depth=19).dump(tmp_path / "config.py")
    with pytest.raises(NotBuilt, match="its model cannot be built: KeyError: 'invalid depth 19 for resnet'"):
        time_config(tmp_path / "config.py")
