"""What a config says of a GPU, and what becomes of it where there is one: pretended here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import RUNNERS

from mmdetpre.compat import gpu_settings
from mmdetpre.compat.gpu_settings import GpuSettings

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in ROOT.glob("configs/*/*.py") if "_base_" not in path.parts)
PLAIN = dict(optimizer=dict(type="SGD", lr=0.1))


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU that has bfloat16, for the settings and for ``AmpOptimWrapper``, whose autocast works on the CPU too."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    monkeypatch.setattr(gpu_settings, "has_bfloat16", lambda: True)
    monkeypatch.setattr("mmdetpre.backbones.config_runner.has_gpu", lambda: True)
    monkeypatch.setattr("mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available", lambda: True)
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


def test_a_plain_wrapper_becomes_bfloat16_where_the_gpu_has_it(pretend_gpu, monkeypatch) -> None:
    wanted = GpuSettings(bfloat16=True)
    for kind in ({}, {"type": "OptimWrapper"}, {"type": "mmengine.OptimWrapper"}, {"type": OptimWrapper}):
        given = ConfigDict(PLAIN | kind | {"clip_grad": {"max_norm": 3}})
        found = wanted.optim_wrapper(given)
        assert found["type"] == "AmpOptimWrapper" and found["dtype"] == "bfloat16" and found["clip_grad"].max_norm == 3
        assert found["loss_scale"] == {"enabled": False} and given.get("type") == kind.get("type")
        assert GpuSettings().optim_wrapper(given) is given
    monkeypatch.setattr(gpu_settings, "has_bfloat16", lambda: False)
    assert wanted.optim_wrapper(given) is given


@pytest.mark.parametrize(
    "given",
    [
        PLAIN | {"type": "AmpOptimWrapper", "loss_scale": "dynamic"},  # what --amp makes of it
        PLAIN | {"type": "AmpOptimWrapper", "dtype": "float16"},
        PLAIN | {"type": "ApexOptimWrapper"},
        {"generator": PLAIN, "constructor": "Two"},
        None,
    ],
)
def test_what_a_user_chose_stays(given, pretend_gpu) -> None:
    assert GpuSettings(bfloat16=True).optim_wrapper(given) is given


@pytest.mark.parametrize("given", [{"bfloat": True}, {"tf32": "high"}, {"pin_memory": None}])
def test_other_keys_and_values_are_refused(given) -> None:
    with pytest.raises(ValueError, match=r"gpu\..*: there are bfloat16, tf32, pin_memory, True or False"):
        GpuSettings.of({"gpu": given})


def test_loaders_that_say_nothing_are_pinned() -> None:
    def loaders() -> ConfigDict:
        train, val = {"batch_size": 2}, {"batch_size": 1, "pin_memory": False}
        return ConfigDict(train_dataloader=train, val_dataloader=val, test_dataloader=None)

    GpuSettings().pin_batches(cfg := loaders())
    assert cfg.train_dataloader.pin_memory is True and cfg.val_dataloader.pin_memory is False
    GpuSettings(pin_memory=False).pin_batches(cfg := loaders())
    assert "pin_memory" not in cfg.train_dataloader


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_models_of_ours_want_bfloat16_and_stock_detectors_do_not(path: Path) -> None:
    cfg = Config.fromfile(path, import_custom_modules=False)
    stock = "retinanet" in path.stem or "faster_rcnn" in path.stem
    float32 = stock or path.stem == "sniper_mobilenetv2_coco"
    assert GpuSettings.of(cfg) == GpuSettings(bfloat16=not float32)
    assert cfg.optim_wrapper.type == "OptimWrapper", "the toolboxes' --amp wants it"


def run(cfg: Config):
    runner = RUNNERS.build(cfg)
    runner.train()
    return runner, Path(runner.logger.log_file).read_text()


def short(sample_config: Callable[..., Config], **options: object) -> Config:
    settings = dict(train_dataloader__dataset__dataset__max_images=1, train_dataloader__batch_size=2)
    steps = dict(train_cfg=dict(max_epochs=1, val_interval=2))
    return sample_config(**(settings | steps | options))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*GradScaler")
def test_a_run_on_a_gpu_uses_it_and_says_so(sample_config, pretend_gpu, tmp_path) -> None:
    runner, log = run(short(sample_config, experiment_name=tmp_path.name))
    assert isinstance(runner.optim_wrapper, AmpOptimWrapper) and runner.optim_wrapper.cast_dtype is torch.bfloat16
    assert not runner.optim_wrapper.loss_scaler.is_enabled()
    assert "AmpOptimWrapper(dtype='bfloat16') stands in for OptimWrapper. gpu.bfloat16=False trains in float32" in log
    assert "used with gpu.bfloat16=True, gpu.tf32=True, gpu.pin_memory=True; each is changed by --cfg-options" in log
    assert runner.cfg.optim_wrapper.type == "OptimWrapper", "the config stays that of any machine"
    assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    assert runner.train_dataloader.pin_memory
    parts = [part for part in runner.model.modules() if isinstance(part, BaseDataPreprocessor)]
    assert parts and all(part._non_blocking for part in parts)
    state = torch.load(tmp_path / "work" / "epoch_1.pth", weights_only=False)["optimizer"]
    assert state["loss_scaler"] == {}

    again = short(
        sample_config, resume=True, gpu=dict(bfloat16=False, tf32=False, pin_memory=False),
        train_cfg=dict(max_epochs=2, val_interval=3), experiment_name=f"{tmp_path.name}_again",
    )  # fmt: skip
    runner, log = run(again)
    assert type(runner.optim_wrapper) is OptimWrapper and runner.epoch == 2 and "stands in" not in log
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
    assert not runner.train_dataloader.pin_memory
    runner, log = run(short(sample_config, resume=True, train_cfg=dict(max_epochs=3, val_interval=4)))
    assert isinstance(runner.optim_wrapper, AmpOptimWrapper) and runner.epoch == 3, "back from float32"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*GradScaler")
def test_amp_of_the_command_line_is_left_alone(sample_config, pretend_gpu, monkeypatch) -> None:
    cfg = short(sample_config)
    cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale = "AmpOptimWrapper", "dynamic"  # mmdet's train.py
    wrapper = RUNNERS.build(cfg).build_optim_wrapper
    built = []
    monkeypatch.setattr("mmengine.runner.runner.build_optim_wrapper", lambda model, given: built.append(given))
    wrapper(cfg.optim_wrapper)
    assert built == [cfg.optim_wrapper]


def test_on_a_cpu_nothing_changes(sample_config) -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    runner = RUNNERS.build(short(sample_config))
    assert type(runner.build_optim_wrapper(runner.cfg.optim_wrapper)) is OptimWrapper
    assert torch.backends.cuda.matmul.allow_tf32 is before
    assert "pin_memory" not in runner.cfg.train_dataloader and not runner.model.data_preprocessor._non_blocking
    assert "gpu." not in Path(runner.logger.log_file).read_text().split("Hooks will be executed")[1]
