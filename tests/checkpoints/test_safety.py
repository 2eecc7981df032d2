from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner, load_checkpoint
from torch.serialization import get_unsafe_globals_in_checkpoint
from torch.utils.data import Dataset

import mmdetpre  # noqa: F401  (importing it is what is tested)
from mmdetpre.checkpoints.safety import STATISTICS, strict_loading
from mmdetpre.checkpoints.torch_file import read_torch_file


class LineModel(BaseModel):
    """y = w x + b."""

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, inputs: Any, targets: Any = None, mode: str = "tensor") -> Any:
        x = torch.stack(list(inputs)) if isinstance(inputs, list) else inputs
        out = self.linear(x)
        return dict(loss=out.square().mean()) if mode == "loss" else out


class LineData(Dataset):
    metainfo = dict(classes=("a", "b"), RELATION_MATRIX=np.eye(2, dtype=np.float32))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        return dict(inputs=torch.full((2,), float(index)))


@pytest.fixture(scope="module")
def registered() -> Iterator[None]:
    MODELS.register_module(module=LineModel)
    DATASETS.register_module(module=LineData)
    yield
    MODELS._module_dict.pop("LineModel")
    DATASETS._module_dict.pop("LineData")


def runner_config(work_dir: Path, **changes: Any) -> Config:
    return Config(
        dict(
            model=dict(type="LineModel"),
            train_dataloader=dict(
                dataset=dict(type="LineData"),
                sampler=dict(type="DefaultSampler", shuffle=True),
                batch_size=2,
                num_workers=0,
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9)),
            param_scheduler=[
                dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=2),
                dict(type="MultiStepLR", milestones=[1], by_epoch=True),
            ],
            work_dir=str(work_dir),
            default_scope="mmengine",
            randomness=dict(seed=1),
            log_level="ERROR",
            experiment_name=f"safety_{work_dir.name}_{changes.pop('name', 'first')}",
            **changes,
        )
    )


@pytest.fixture(scope="module")
def trained(registered: None, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    runner = Runner.from_cfg(runner_config(tmp_path_factory.mktemp("run")))
    runner.train()
    return runner


@pytest.fixture(scope="module")
def checkpoint(trained: Runner) -> Path:
    return Path(trained.work_dir) / "epoch_1.pth"


def test_runner_checkpoint_loads_with_its_log(checkpoint: Path) -> None:
    loaded = read_torch_file(checkpoint)
    assert {"state_dict", "optimizer", "param_schedulers", "message_hub", "meta"} <= set(loaded)
    losses = loaded["message_hub"]["log_scalars"]["train/loss"]
    assert type(losses) is HistoryBuffer
    assert losses.statistics("mean", 2) == pytest.approx(losses.data[0].mean())
    assert type(losses.data[0]) is np.ndarray
    assert np.array_equal(loaded["meta"]["dataset_meta"]["RELATION_MATRIX"], np.eye(2))


def test_load_checkpoint_restores_the_weights(trained: Runner) -> None:
    model = LineModel()
    load_checkpoint(model, str(Path(trained.work_dir) / "epoch_2.pth"))
    assert torch.equal(model.linear.weight, trained.model.linear.weight)


def test_pretrained_initialization_reads_it(trained: Runner, registered: None) -> None:
    path = str(Path(trained.work_dir) / "epoch_2.pth")
    model = MODELS.build(dict(type="LineModel", init_cfg=dict(type="Pretrained", checkpoint=path)))
    model.init_weights()
    assert torch.equal(model.linear.weight, trained.model.linear.weight)


def test_interrupted_run_resumes(trained: Runner, checkpoint: Path, tmp_path: Path) -> None:
    config = runner_config(tmp_path, name="resumed", resume=True, load_from=str(checkpoint))
    resumed = Runner.from_cfg(config)
    resumed.train()
    assert resumed.epoch == 2
    whole = trained.message_hub.get_scalar("train/loss").data[0]
    assert len(resumed.message_hub.get_scalar("train/loss").data[0]) == len(whole) == 4
    assert resumed.message_hub.get_scalar("train/loss").data[0][:2] == pytest.approx(whole[:2])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.array([1.5, -2], dtype=">f8"),
        np.zeros((0, 3)),
        np.array(3 + 4j),
        np.array([True, False]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_of_numbers_survive_twice(array: np.ndarray, tmp_path: Path) -> None:
    value: Any = array
    for turn in ("first", "second"):
        torch.save({"value": value}, tmp_path / turn)
        value = read_torch_file(tmp_path / turn)["value"]
        assert isinstance(value, np.ndarray)
        assert value.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        assert np.array_equal(value, array)
    torch.save(np.array(value), tmp_path / "plain")
    with strict_loading():
        assert not get_unsafe_globals_in_checkpoint(tmp_path / "second")


@pytest.mark.parametrize("number", [np.float64(0.5), np.int64(-3), np.bool_(True), np.float16(2)], ids=repr)
def test_numpy_scalars_survive(number: np.generic, tmp_path: Path) -> None:
    torch.save({"best": number}, tmp_path / "scalar")
    loaded = read_torch_file(tmp_path / "scalar")["best"]
    assert loaded == number
    assert type(loaded) is type(number)


class Reduced:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call

    def __call__(self) -> None:
        """Pickle asks that what it writes as a function can be called."""


def history_with(**state: Any) -> HistoryBuffer:
    history = HistoryBuffer([1.0], [1])
    history.__dict__.update(state)
    return history


def history_with_statistics(table: Any) -> HistoryBuffer:
    history = HistoryBuffer([1.0], [1])
    state = dict(history.__dict__, statistics_methods=table)
    history.__getstate__ = lambda: state  # type: ignore[method-assign]
    return history


MALICIOUS = {
    "os.system": lambda mark: Reduced(os.system, f"touch {mark}"),
    "eval": lambda mark: Reduced(eval, f"open({str(mark)!r}, 'w')"),
    "exec": lambda mark: Reduced(exec, f"open({str(mark)!r}, 'w')"),
    "getattr(os, 'system')": lambda mark: Reduced(
        Reduced(getattr, Reduced(__import__, "os"), "system"), f"touch {mark}"
    ),
    "getattr of __globals__": lambda mark: Reduced(getattr, HistoryBuffer.mean, "__globals__"),
    "getattr of __init__": lambda mark: Reduced(getattr, HistoryBuffer, "__init__"),
    "getattr of __subclasses__": lambda mark: Reduced(getattr, HistoryBuffer, "__subclasses__"),
    "getattr of register_statistics": lambda mark: Reduced(getattr, HistoryBuffer, "register_statistics"),
    "nested getattr": lambda mark: Reduced(getattr, Reduced(getattr, HistoryBuffer, "mean"), "__globals__"),
    "getattr of a tensor": lambda mark: Reduced(getattr, torch.zeros(1), "tolist"),
    "three arguments": lambda mark: Reduced(getattr, HistoryBuffer, "missing", 1),
    "foreign attribute of the log": lambda mark: history_with(update=1.0),
    "log that is no array": lambda mark: history_with(_log_history=[1.0]),
    "log of objects": lambda mark: history_with(_log_history=np.array([None, "x"], dtype=object)),
    "new statistic": lambda mark: history_with_statistics({"extra": HistoryBuffer.mean}),
    "swapped statistic": lambda mark: history_with_statistics({"mean": HistoryBuffer.max}),
    "statistics that are no table": lambda mark: history_with_statistics([1]),
    "object array": lambda mark: np.array([Reduced(os.system, f"touch {mark}")], dtype=object),
    "record array": lambda mark: np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]),
    "subarray type": lambda mark: np.dtype(("f4", (2,))),
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_malicious_checkpoint_fails_without_a_trace(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path = tmp_path / "malicious.pth"
    torch.save({"state_dict": {}, "payload": MALICIOUS[name](mark)}, path, pickle_module=pickle)
    before = dict(HistoryBuffer._statistics_methods)
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(LineModel(), str(path))
    assert not mark.exists()
    assert HistoryBuffer._statistics_methods == before


@pytest.mark.parametrize(
    "state",
    [
        (3, "<", (np.float32, (2,)), None, None, -1, -1, 0),
        (3, "<", None, ("a",), {"a": 1}, -1, -1, 0),
        (3, "<", None, None, None, -1, -1, 63),
        (3, "x", None, None, None, -1, -1, 0),
        "no tuple",
    ],
)
def test_forged_number_type_is_refused(state: Any) -> None:
    """NumPy itself would take these: flags that call a float an object make it follow a forged pointer."""
    from mmdetpre.checkpoints.safety import StoredDtype

    with pytest.raises(pickle.UnpicklingError):
        StoredDtype("f8", False, True).__setstate__(state)


def test_message_says_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    torch.save(Reduced(getattr, HistoryBuffer, "__init__"), tmp_path / "x.pth")
    with pytest.raises(pickle.UnpicklingError, match=r"'__init__'.*min, max, current, mean.*tampered"):
        read_torch_file(tmp_path / "x.pth")


def test_statistics_are_those_of_mmengine() -> None:
    assert set(STATISTICS) == set(HistoryBuffer([1.0], [1])._statistics_methods)
