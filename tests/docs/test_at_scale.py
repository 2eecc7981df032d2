from __future__ import annotations

import doctest
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def at_scale(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("at_scale", repository / "docs" / "at_scale.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "at_scale", module)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_inputs_give(at_scale: ModuleType) -> None:
    page = at_scale.PAGE.read_text(encoding="utf-8")
    assert at_scale.written(page, at_scale.Cluster()) == page, "write it again: python docs/at_scale.py"


def test_its_example(at_scale: ModuleType) -> None:
    assert doctest.testmod(at_scale) == (0, 2)


def test_the_inputs_are_those_of_the_config(at_scale: ModuleType, repository: Path) -> None:
    from mmengine.config import Config

    cfg, c = Config.fromfile(repository / "configs/det/sniper_openimages.py"), at_scale.Cluster()
    assert c.chips_per_gpu == cfg.train_dataloader.batch_size
    assert c.epochs == cfg.train_cfg.max_epochs
    assert c.base_batch == cfg.auto_scale_lr.base_batch_size
    assert (c.base_rate, c.base_decay) == (cfg.optim_wrapper.optimizer.lr, cfg.optim_wrapper.optimizer.weight_decay)
    assert c.warm_up == cfg.param_scheduler[0].end


def test_figures_follow_their_inputs(at_scale: ModuleType) -> None:
    def found(**changes) -> dict[str, str]:
        return {row.what: row.value for row in at_scale.figures(at_scale.Cluster(**changes))}

    plain = found()
    assert plain["opens per second, a file per chip"] == plain["chips per second, all GPUs"]
    assert (
        found(nodes=16)["total batch"] == "2,048 chips"
        and found(nodes=16)["learning rate by the linear rule"] == "1.92"
    )
    changed = {what for what, value in found(metric_seconds=30).items() if plain[what] != value}
    assert changed == {"GPU-hours lost while one rank measures"}
    assert found(nodes=1)["training"] == plain["training"], "GPU-hours do not depend on the number of GPUs"
