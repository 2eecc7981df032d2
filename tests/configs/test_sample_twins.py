"""Every config that trains on drawn data trains, saves and is evaluated. New ones are found by their name."""

import itertools
import json
import math
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmdetpre.datasets import ChipMiningSampler
from mmdetpre.sample import make_sample
from mmdetpre.sample.folder import LAYOUTS
from mmdetpre.transfer import read_checkpoint

TWINS = sorted((Path(__file__).resolve().parents[2] / "configs" / "det").glob("*_sample.py"))
CHIPS = 4  # per epoch: one step


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder ``data`` with a few images in every layout, named as the configs name them."""
    data = tmp_path_factory.mktemp("drawn") / "data"
    for layout in LAYOUTS:
        name = "sample" if layout == "openimages" else f"sample_{layout}"
        make_sample(data / name, layout=layout, train=10, validation=3, progress=False)
    return data


class Record(Hook):
    """What a run did."""

    def __init__(self):
        self.losses, self.evaluated = [], 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(float(outputs["loss"].detach()))

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.evaluated += 1

    after_test_iter = after_val_iter


def config(path, work_dir):
    cfg = Config.fromfile(path)
    cfg.work_dir = str(work_dir)
    cfg.randomness = dict(seed=0)
    cfg.experiment_name = path.stem
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if cfg.get(name):
            cfg[name].update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = CHIPS
    return cfg


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_twin_trains_saves_and_is_evaluated(path, drawn, tmp_path, monkeypatch, write_initial_weights):
    records = ChipMiningSampler.__iter__
    monkeypatch.setattr(ChipMiningSampler, "__iter__", lambda self: itertools.islice(records(self), CHIPS))
    monkeypatch.setattr(ChipMiningSampler, "__len__", lambda self: CHIPS)
    monkeypatch.chdir(tmp_path)  # data and checkpoints are named from where a run is started
    (tmp_path / "data").symlink_to(drawn)
    init_default_scope("mmdet")
    cfg = config(path, tmp_path / "run")
    digests = write_initial_weights(cfg)
    runner, record = Runner.from_cfg(cfg), Record()
    runner.register_hook(record)
    runner.train()
    epochs = cfg.train_cfg.max_epochs
    assert len(record.losses) == epochs
    assert all(map(math.isfinite, record.losses))
    assert (tmp_path / "run" / f"epoch_{epochs}.pth").exists()
    reports = [json.loads(report.read_text()) for report in (tmp_path / "run").glob("backbone_load_*.json")]
    assert [(report["verdict"], report["digest"]) for report in reports] == [("complete", one) for one in digests]
    assert read_checkpoint(tmp_path / "run" / "backbone_final.pth").backbone_metadata["epoch"] == epochs
    if cfg.get("val_cfg") is None:
        runner.test()
    assert record.evaluated >= 3


def test_every_detector_that_is_trained_from_an_initialization_has_a_twin():
    names = {path.stem for path in TWINS[0].parent.glob("*.py")}
    twins = {path.stem for path in TWINS}
    assert twins == {f"{name}_sample" for name in names - twins}
