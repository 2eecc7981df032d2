"""A config gets the Runner that it names, whichever way a toolbox's script builds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmdetpre.backbones.config_runner import ConfigRunner

CONFIG = Path(__file__).parents[2] / "configs" / "seg" / "deeplab_voc_sample.py"


@pytest.fixture
def cfg(tiny_voc: Path, tmp_path: Path) -> Config:
    """A segmentor of the sample whose data were moved by the one key."""
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({"data_root": str(tiny_voc / "VOCdevkit" / "VOC2012"), "work_dir": str(tmp_path)})
    return cfg


def test_the_script_that_tests_segmentors_moves_the_data_too(cfg: Config, tiny_voc: Path) -> None:
    cfg.default_hooks.timer = None
    runner = Runner.from_cfg(cfg)  # as mmseg's test.py has it
    assert type(runner) is ConfigRunner
    assert runner.test_dataloader.dataset.data_root.startswith(str(tiny_voc))
    assert "IterTimerHook" not in [type(hook).__name__ for hook in runner.hooks]


def test_other_configs_get_what_they_ask_for(cfg: Config) -> None:
    cfg.pop("runner_type")
    assert type(Runner.from_cfg(cfg)) is Runner

    class Own(Runner):
        pass

    cfg.runner_type = "mmdetpre.ConfigRunner"
    assert type(Own.from_cfg(cfg)) is Own, "who names a class gets it"
