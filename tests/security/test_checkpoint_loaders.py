"""Resuming, testing and initialising through mmengine read a stranger's checkpoint as data."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.logging import HistoryBuffer
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from torch.utils.data import Dataset

import mmdetpre  # noqa: F401  (importing it is what guards mmengine)
from mmdetpre.checkpoints.loaders import as_data, guard_mmengine
from mmdetpre.checkpoints.torch_file import read_torch_file


class Trap:
    """Pickles as a call that makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def code(marker: Path) -> str:
    """A config whose text leaves the marker when it is executed."""
    return f"__import__('pathlib').Path({str(marker)!r}).touch()\nmodel = dict(type='Nothing')\n"


class Points(Dataset):
    metainfo = dict(classes=("a", "b"))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        return dict(inputs=torch.full((2,), float(index)))


@pytest.fixture(scope="module")
def line_model():
    from mmengine.model import BaseModel

    class SecurityLine(BaseModel):
        """y = w x + b."""

        def __init__(self, init_cfg: dict | None = None) -> None:
            super().__init__(init_cfg=init_cfg)
            self.linear = torch.nn.Linear(2, 1)

        def forward(self, inputs, mode: str = "tensor", **kwargs):
            out = self.linear(torch.stack(list(inputs)) if isinstance(inputs, list) else inputs)
            return dict(loss=out.square().mean()) if mode == "loss" else out

    MODELS.register_module(module=SecurityLine)
    DATASETS.register_module(module=Points)
    yield SecurityLine
    MODELS._module_dict.pop("SecurityLine")
    DATASETS._module_dict.pop("Points")


def line_config(work_dir: Path, **changes) -> Config:
    return Config(
        dict(
            model=dict(type="SecurityLine"),
            train_dataloader=dict(
                dataset=dict(type="Points"), sampler=dict(type="DefaultSampler"), batch_size=2, num_workers=0
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01)),
            work_dir=str(work_dir),
            default_scope="mmengine",
            log_level="ERROR",
            experiment_name=f"door_{work_dir.parent.name}_{work_dir.name}",
            **changes,
        )
    )


@pytest.fixture(scope="module")
def checkpoint(line_model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mmengine's Runner wrote after one epoch."""
    work_dir = tmp_path_factory.mktemp("run")
    Runner.from_cfg(line_config(work_dir)).train()
    return work_dir / "epoch_1.pth"


@pytest.fixture
def changed(checkpoint: Path, tmp_path: Path) -> Callable[..., Path]:
    """Function that writes the checkpoint with other entries."""

    def write(change: Callable[[dict], object]) -> Path:
        content = read_torch_file(checkpoint)
        change(content)
        path = tmp_path / "foreign.pth"
        torch.save(content, path)
        return path

    return write


def test_resuming_does_not_execute_the_config_in_meta(changed, marker: Path, tmp_path: Path) -> None:
    path = changed(lambda content: content["meta"].update(config=code(marker), cfg=code(marker)))
    resumed = Runner.from_cfg(line_config(tmp_path / "work", resume=True, load_from=str(path)))
    resumed.train()
    assert resumed.epoch == 2


def test_the_attack_is_one_where_nothing_guards(changed, tmp_path: Path) -> None:
    """Without the guard mmengine executes it: the other tests test something."""
    mark = tmp_path / "unguarded"
    path = changed(lambda content: content["meta"].update(config=code(mark)))
    runner = Runner.from_cfg(line_config(tmp_path / "work", resume=True, load_from=str(path)))
    unguarded = {"": lambda filename, map_location: pickle_of(filename)}
    guarded, CheckpointLoader._schemes = CheckpointLoader._schemes, unguarded
    try:
        runner.train()
    finally:
        CheckpointLoader._schemes = guarded
    assert mark.exists()


def pickle_of(filename: str):
    content = torch.load(filename, weights_only=False)
    content["meta"]["dataset_meta"] = None
    return content


@pytest.mark.parametrize("place", ["meta", "hub"])
def test_inferencers_find_no_config_to_execute(place: str, changed, marker: Path) -> None:
    def change(content: dict) -> None:
        content["meta"].pop("cfg", None)
        if place == "meta":
            content["message_hub"]["runtime_info"].pop("cfg", None)
            content["meta"]["cfg"] = code(marker)
        else:
            content["message_hub"]["runtime_info"]["cfg"] = code(marker)

    class Inferencer(BaseInferencer):
        def __init__(self) -> None:
            pass

        def _init_pipeline(self, cfg):
            return None

        visualize = postprocess = preprocess = forward = None

    Inferencer.__abstractmethods__ = frozenset()
    with pytest.raises(ValueError, match="Cannot find the config"):
        Inferencer()._init_model({}, str(changed(change)))


def test_best_ckpt_removes_no_file_of_the_user(changed, tmp_path: Path) -> None:
    """mmengine's CheckpointHook removes what the resumed message hub calls the best checkpoint, folders too."""
    precious = tmp_path / "photos"
    precious.mkdir()
    (precious / "only_copy.jpg").write_text("x")
    (tmp_path / "best_of_mine.pth").symlink_to(precious / "only_copy.jpg")
    named = [precious, precious / "only_copy.jpg", tmp_path / "best_of_mine.pth", "file://" + str(precious)]
    for value in map(str, named):
        path = changed(
            lambda content, value=value: content["message_hub"]["runtime_info"].update(
                best_ckpt=value, best_ckpt_loss=value, keep_ckpt_ids=["/../x", 1]
            )
        )
        said = CheckpointLoader.load_checkpoint(str(path))["message_hub"]["runtime_info"]
        assert not {"best_ckpt", "best_ckpt_loss", "keep_ckpt_ids"} & set(said), value
    runner = Runner.from_cfg(
        line_config(
            tmp_path / "work",
            resume=True,
            load_from=str(path),
            default_hooks=dict(checkpoint=dict(type="CheckpointHook", save_best="loss", rule="less")),
        )
    )
    runner.train()
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == "CheckpointHook")
    hook._save_best_checkpoint(runner, {"loss": 0.1})
    assert (precious / "only_copy.jpg").read_text() == "x"


def test_the_best_checkpoint_of_ones_own_run_is_still_known(checkpoint: Path, tmp_path: Path) -> None:
    best = tmp_path / "best_loss_epoch_1.pth"
    best.write_bytes(checkpoint.read_bytes())
    content = read_torch_file(checkpoint)
    content["message_hub"]["runtime_info"].update(best_ckpt=str(best), keep_ckpt_ids=[1, 2], best_ckpt_a=None)
    torch.save(content, tmp_path / "epoch_1.pth")
    said = CheckpointLoader.load_checkpoint(str(tmp_path / "epoch_1.pth"))["message_hub"]["runtime_info"]
    assert said["best_ckpt"] == str(best) and said["keep_ckpt_ids"] == [1, 2] and said["best_ckpt_a"] is None


@pytest.mark.parametrize("address", ["{}", "http://127.0.0.1:9/{}", "https://127.0.0.1:9/a", "s3://{}", "zoo://{}"])
def test_no_way_into_mmengine_unpickles_more_than_data(
    address: str, tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {}, "x": Trap(marker)}, path)

    def careless(*arguments, **options):
        return torch.load(path, weights_only=False)  # as newer mmengine does, and torch.hub

    monkeypatch.setattr("mmengine.runner.checkpoint.load_url", careless)
    backend = SimpleNamespace(get=lambda name: path.read_bytes())
    monkeypatch.setattr("mmengine.runner.checkpoint.get_file_backend", lambda *a, **k: backend)
    monkeypatch.setattr(CheckpointLoader, "_schemes", dict(CheckpointLoader._schemes))
    CheckpointLoader.register_scheme("zoo://", careless)
    guard_mmengine()
    with pytest.raises(pickle.UnpicklingError, match="not read, and nothing of it was run: it holds .*mkdir") as caught:
        load_checkpoint(torch.nn.Linear(2, 1), address.format(path))
    assert "weights_only" not in str(caught.value), "no advice to switch the protection off"


class Reaching:
    """Pickles as ``getattr(HistoryBuffer, "__init__")``: from there a file reaches, and can change, any module."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, "__init__")


@pytest.mark.parametrize("address", ["{}", "http://127.0.0.1:9/{}", "s3://{}", "zoo://{}"])
@pytest.mark.parametrize("trusted_by", ["the host", "the process"])
def test_no_list_of_others_brings_getattr_into_reach(
    address: str, trusted_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, trusted = tmp_path / "a.pth", [getattr, HistoryBuffer]
    torch.save({"state_dict": {}, "x": Reaching()}, path)
    with torch.serialization.safe_globals(trusted):
        assert torch.load(path, weights_only=True)["x"] is HistoryBuffer.__init__, "the attack is one"

    def trusting(*arguments, **options):  # as onedl-mmengine does, before it falls back to weights_only=False
        with torch.serialization.safe_globals(trusted):
            return torch.load(path, weights_only=True)

    monkeypatch.setattr("mmengine.runner.checkpoint.load_url", trusting)
    backend = SimpleNamespace(get=lambda name: path.read_bytes())
    monkeypatch.setattr("mmengine.runner.checkpoint.get_file_backend", lambda *a, **k: backend)
    monkeypatch.setattr(CheckpointLoader, "_schemes", dict(CheckpointLoader._schemes))
    CheckpointLoader.register_scheme("zoo://", trusting)
    guard_mmengine()
    by_process = torch.serialization.safe_globals(trusted if trusted_by == "the process" else [])
    before, theirs = torch.serialization.get_safe_globals(), torch.load
    with by_process, pytest.raises(pickle.UnpicklingError, match="not read, and nothing of it was run"):
        load_checkpoint(torch.nn.Linear(2, 1), address.format(path))
    assert set(torch.serialization.get_safe_globals()) == set(before) and torch.load is theirs


def test_pretrained_reads_as_data(line_model, tmp_path: Path, marker: Path) -> None:
    torch.save({"state_dict": {}, "x": Trap(marker)}, tmp_path / "a.pth")
    model = MODELS.build(
        dict(type="SecurityLine", init_cfg=dict(type="Pretrained", checkpoint=str(tmp_path / "a.pth")))
    )
    with pytest.raises(pickle.UnpicklingError, match="nothing of it was run"):
        model.init_weights()


def test_other_code_of_the_process_gains_nothing(checkpoint: Path) -> None:
    """torch's own list is as it was: what we take, only our reader takes."""
    before = torch.serialization.get_safe_globals()  # torch.distributed has some
    assert "builtins.getattr" not in [pair[1] for pair in before if isinstance(pair, tuple)]
    with pytest.raises(pickle.UnpicklingError):
        torch.load(checkpoint, weights_only=True)
    assert read_torch_file(checkpoint)["meta"]["epoch"] == 1
    assert set(torch.serialization.get_safe_globals()) == set(before)


@pytest.mark.parametrize(
    "first", ["import mmdetpre", "import mmengine.runner", "import mmdetpre.checkpoints.torch_file"]
)
def test_guarded_in_either_order_of_imports(first: str) -> None:
    script = f"""
import sys
{first}
import mmdetpre
runs = {first!r} == "import mmengine.runner"
assert ("mmengine.runner" in sys.modules) == runs, "the package does not import the Runner"
import mmengine.runner
from mmengine.runner import CheckpointLoader
assert all(hasattr(load, "strict") for load in CheckpointLoader._schemes.values())
assert CheckpointLoader._get_checkpoint_loader("a.pth").__name__ == "load_from_local"
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_no_checkpoint_is_left_alone() -> None:
    for value in (None, [1], {"meta": 3}, {"meta": {}, "message_hub": None}, {"message_hub": {"runtime_info": []}}):
        assert as_data(value, "a.pth") == value
    weights = {"meta": torch.ones(2), "a": np.ones(1)}
    assert as_data(weights, "a.pth") is weights
