"""Every classification config for drawn data trains, is evaluated, and trains no more than it says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmdetpre.sample import make_sample
from mmdetpre.transfer import read_checkpoint

TWINS = sorted((Path(__file__).resolve().parents[2] / "configs" / "cls").glob("*_sample.py"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder ``data`` with 3 images of each class, named as the configs name it."""
    data = tmp_path_factory.mktemp("drawn") / "data"
    make_sample(data / "sample_caltech256", layout="caltech256", train=10, validation=5, progress=False)
    make_sample(data / "sample_imagenet_loc", layout="imagenet_loc", train=16, validation=1, progress=False)
    return data


class Record(Hook):
    """Losses of a run, and its backbone right before the first step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.start: dict[str, torch.Tensor] = {}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if not self.start:
            self.start = {key: value.clone() for key, value in runner.model.backbone.state_dict().items()}

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses.append(float(outputs["loss"].detach()))


@pytest.fixture
def config(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Function that reads a config for the few drawn images: one epoch, two images of each class to train on."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(drawn)
    init_default_scope("mmpretrain")

    def read(path: Path) -> Config:
        cfg = Config.fromfile(path)
        cfg.work_dir, cfg.experiment_name = str(tmp_path / "run"), path.stem
        cfg.randomness = dict(seed=0)
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
        for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
            if cfg.get(name):
                cfg[name].update(num_workers=0, batch_size=5)
                if "per_class" in cfg[name].dataset:
                    cfg[name].dataset.per_class = 2
        return cfg

    return read


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_twin_trains_and_is_evaluated(path: Path, config, tmp_path: Path, write_initial_weights) -> None:
    cfg = config(path)
    digests = write_initial_weights(cfg)
    runner, record = Runner.from_cfg(cfg), Record()
    runner.register_hook(record)
    head = {key: value.clone() for key, value in runner.model.head.state_dict().items()}
    runner.train()
    assert len(record.losses) >= 2 and all(map(math.isfinite, record.losses))
    reports = [json.loads(report.read_text()) for report in (tmp_path / "run").glob("backbone_load_*.json")]
    assert [(report["verdict"], report["digest"]) for report in reports] == [("complete", one) for one in digests]
    left = read_checkpoint(tmp_path / "run" / "backbone_final.pth").backbone_metadata
    if cfg.get("val_cfg"):
        assert 0 <= runner.message_hub.get_scalar("val/accuracy/top1").current() <= 100

    after = runner.model.backbone.state_dict()
    changed = {key for key in after if not torch.equal(after[key], record.start[key])}
    if "_linear_" in path.stem:
        assert not changed, "a linear classifier changed its backbone, batch normalisation included"
        assert [left["digest"]] == digests
    else:
        assert {key for key in after if key.endswith("running_var")} <= changed and "conv1.weight" in changed
    assert all(not torch.equal(value, head[key]) for key, value in runner.model.head.state_dict().items())


def test_another_number_of_classes_is_refused(config) -> None:
    cfg = config(TWINS[0].with_name("caltech256_sample.py"))
    cfg.model.head.num_classes = 4
    with pytest.raises(ValueError, match=r"(?s)5 classes \(arrow.*model.head.num_classes is 4"):
        Runner.from_cfg(cfg).train()


def test_twins_are_found() -> None:
    assert len(TWINS) == 4


@pytest.mark.slow
def test_training_on_real_photos(shared_data: Path, config) -> None:
    """Colour and grey photos in folders per class, by overrides alone."""
    cfg = config(TWINS[0].with_name("caltech256_sample.py"))
    for name in ("train_dataloader", "val_dataloader"):
        data = dict(type="mmdetpre.ClassFolders", data_root=str(shared_data / "caltech101"), per_class=20)
        data |= dict(data_prefix="101_ObjectCategories", split=name.split("_")[0].replace("val", "test"))
        cfg[name].dataset = data | dict(pipeline=cfg[name].dataset.pipeline)
        cfg[name].batch_size = 24
    cfg.model.head.num_classes = 12
    cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = 3
    runner, record = Runner.from_cfg(cfg), Record()
    runner.register_hook(record)
    runner.train()
    assert len(record.losses) == 30
    assert sum(record.losses[-10:]) < 0.9 * sum(record.losses[:10])
    assert runner.message_hub.get_scalar("val/accuracy/top1").current() > 20  # chance: 8.3
