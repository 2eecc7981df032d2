"""Logged values are fetched when somebody looks: the same numbers, without a wait in each step."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer, MessageHub
from torch.utils._python_dispatch import TorchDispatchMode

from mmdetpre.checkpoints.torch_file import read_torch_file
from mmdetpre.compat.training_faults import TrainingError
from mmdetpre.hooks import FiniteLossHook, LateRuntimeInfoHook, finite_loss_hook, late_runtime_info_hook, late_values
from mmdetpre.hooks.late_runtime_info_hook import LateHistory

LATE, PLAIN = "mmdetpre.LateRuntimeInfoHook", "RuntimeInfoHook"


class Waits(TorchDispatchMode):
    """Counts values that the host asks of a device, one by one or together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.count, plain = 0, torch.Tensor.tolist

        def tolist(tensor):
            self.count += 1
            return plain(tensor)

        monkeypatch.setattr(torch.Tensor, "tolist", tolist)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += operation._schema.name == "aten::_local_scalar_dense"
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of a model count as values of a GPU."""

    def late(value):
        return isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel() == 1

    for module in (late_values, late_runtime_info_hook, finite_loss_hook):
        monkeypatch.setattr(module, "is_late", late)


def hooks(kind: str, interval: int = 2, **more: dict) -> dict:
    return dict(
        runtime_info=dict(type=kind),
        logger=dict(type="LoggerHook", interval=interval),
        checkpoint=dict(type="mmdetpre.WholeCheckpointHook", interval=1),
        **more,
    )


def logged(work_dir: Path) -> list[dict]:
    (path,) = work_dir.glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if "time" not in key} for line in lines]


@pytest.mark.parametrize("window", [1, 3, 50])
def test_the_log_has_the_values_of_mmengine(small_run: Callable, tmp_path: Path, pretend_gpu, window: int) -> None:
    logs, histories = {}, {}
    for kind in (PLAIN, LATE):
        processor = dict(
            window_size=window, custom_cfg=[dict(data_src="loss_near", method_name="max", window_size="epoch")]
        )
        runner = small_run(
            default_hooks=hooks(kind), log_processor=processor, work_dir=str(tmp_path / kind), visualizer=None
        )
        torch.manual_seed(0)
        torch.nn.init.constant_(runner.model.layer.weight, 0.3)
        torch.nn.init.constant_(runner.model.layer.bias, 0.1)
        runner.train()
        logs[kind] = logged(tmp_path / kind)
        names = [name for name in runner.message_hub.log_scalars if "time" not in name]
        histories[kind] = {name: runner.message_hub.get_scalar(name).data[0].tolist() for name in names}
        stored = read_torch_file(tmp_path / kind / "epoch_1.pth")["message_hub"]["log_scalars"]
        assert {type(value) for value in stored.values()} == {HistoryBuffer}
        assert stored["train/loss"].data[0].tolist() == histories[kind]["train/loss"][:4]
    assert logs[LATE] == logs[PLAIN] and len(logs[PLAIN]) == 4 and "loss_near" in logs[PLAIN][0]
    assert histories[LATE] == histories[PLAIN] and list(histories[LATE]) == list(histories[PLAIN])


def count_waits(small_run, monkeypatch, tmp_path, kind: str, finite: dict, interval: int) -> list[int]:
    """Waits of each of eight steps, hooks and log included."""
    waits, found = Waits(monkeypatch), []

    class Steps(Hook):
        priority = "VERY_LOW"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            found.append(waits.count)
            waits.count = 0

    runner = small_run(
        default_hooks=hooks(kind, interval, param_scheduler=None),
        custom_hooks=[finite, Steps()],
        work_dir=str(tmp_path / kind / str(interval)),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        dataset=sys.modules["small_run"].Numbers(16),
    )
    with waits:
        runner.train()
    return found


def test_steps_do_not_wait_between_two_lines_of_the_log(small_run, monkeypatch, tmp_path, pretend_gpu) -> None:
    finite = dict(type="mmdetpre.FiniteLossHook", interval=50)
    late = count_waits(small_run, monkeypatch, tmp_path, LATE, finite, interval=4)
    assert late[1:3] == [0, 0] and late[4:7] == [0, 0, 0], late
    assert late[3] == 1, "one transfer for the line of the log"
    plain = count_waits(small_run, monkeypatch, tmp_path, PLAIN, finite, interval=4)
    assert min(plain) == 4, "mmengine waits for each of loss, loss_near, loss_far and acc"


def test_whoever_reads_sees_all_values_and_adds_its_own(small_run, pretend_gpu, tmp_path) -> None:
    seen = []

    class Users(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            runner.message_hub.update_scalar("train/mine", batch_idx)
            if runner.iter == 2:
                history = runner.message_hub.get_scalar("train/loss")
                seen.extend([len(history.data[0]), float(history.current()) == outputs["loss"].item()])
                runner.message_hub.update_scalar("train/loss_near", 100.0)

    runner = small_run(default_hooks=hooks(LATE), custom_hooks=[Users()])
    runner.train()
    assert seen == [3, True]
    values = runner.message_hub.get_scalar("train/loss_near").data[0]
    assert len(values) == 9 and values[3] == 100.0 and (values != 100.0).sum() == 8
    assert len(runner.message_hub.get_scalar("train/mine").data[0]) == 8


def test_a_resumed_run_goes_on_with_the_history(small_run, pretend_gpu, tmp_path) -> None:
    small_run(default_hooks=hooks(LATE), train_cfg=dict(by_epoch=True, max_epochs=1)).train()
    runner = small_run(default_hooks=hooks(LATE), resume=True, load_from=str(tmp_path / "work" / "epoch_1.pth"))
    runner.train()
    assert len(runner.message_hub.get_scalar("train/loss").data[0]) == 8
    assert type(runner.message_hub.get_scalar("train/loss")) is LateHistory


def step(hook, hub: MessageHub, **outputs) -> None:
    hook.after_train_iter(SimpleNamespace(message_hub=hub), 0, None, outputs)


def test_values_are_those_of_their_step(pretend_gpu) -> None:
    hub, hook, loss = MessageHub("values"), LateRuntimeInfoHook(), torch.ones(())
    for _ in range(4):
        step(hook, hub, loss=loss, count=torch.tensor(3), number=2, half=loss.bfloat16() / 3)
        loss += 1  # in place
    assert hub.get_scalar("train/loss").data[0].tolist() == [1, 2, 3, 4]
    assert hub.get_scalar("train/count").current() == 3 and hub.get_scalar("train/number").current() == 2
    assert hub.get_scalar("train/half").current() == float(torch.tensor(4.0).bfloat16() / 3)
    with pytest.raises(AssertionError):
        step(hook, hub, loss=torch.ones(2))


def test_values_that_nobody_reads_do_not_pile_up(pretend_gpu, monkeypatch) -> None:
    monkeypatch.setattr(late_runtime_info_hook, "_MOST_STEPS", 5)
    hub, hook = MessageHub("many"), LateRuntimeInfoHook()
    for number in range(20):
        step(hook, hub, loss=torch.tensor(float(number)))
        assert len(hook._late) < 5
    assert hub.get_scalar("train/loss").data[0].tolist() == list(range(20))


def test_copies_are_plain(pretend_gpu) -> None:
    hub, hook = MessageHub("copies"), LateRuntimeInfoHook()
    for number in range(3):
        step(hook, hub, loss=torch.tensor(float(number)))
    history = hub.get_scalar("train/loss")
    assert type(history) is LateHistory and len(hook._late) == 2
    for again in (
        copy.deepcopy(history),
        pickle.loads(pickle.dumps(history)),
        hub.state_dict()["log_scalars"]["train/loss"],
    ):
        assert type(again) is HistoryBuffer and again.mean(2) == history.mean(2) == 1.5


def test_on_a_cpu_it_is_mmengines_hook() -> None:
    hub, hook = MessageHub("cpu"), LateRuntimeInfoHook()
    step(hook, hub, loss=torch.tensor(2.0))
    assert type(hub.get_scalar("train/loss")) is HistoryBuffer and not len(hook._late)


def test_a_bad_loss_is_found_late_and_named_right(small_run, pretend_gpu, tmp_path) -> None:
    runner = small_run(
        dict(by_epoch=False, interval=5), custom_hooks=[dict(type="mmdetpre.FiniteLossHook", interval=3)]
    )
    runner.model.bad_at = {7}
    with pytest.raises(
        TrainingError, match=r"iteration 7, epoch 2: loss_near is nan, loss is nan; it was .*at"
    ) as caught:
        runner.train()
    assert "iteration 6" in str(caught.value) and "The batch held 4.jpg, 5.jpg" in str(caught.value)
    assert runner.iter == 7, "found one step later, at the end of the epoch"


def test_a_bad_loss_is_found_before_a_checkpoint_is_saved(small_run, pretend_gpu, tmp_path) -> None:
    runner = small_run(dict(by_epoch=False, interval=2), custom_hooks=[dict(type="mmdetpre.FiniteLossHook")])
    runner.model.bad_at = {3}
    with pytest.raises(TrainingError, match="iteration 3, epoch 1"):
        runner.train()
    assert sorted(path.name for path in (tmp_path / "work").glob("*.pth")) == ["iter_2.pth"]


def test_losses_are_looked_at_before_a_validation_and_after_an_epoch(pretend_gpu) -> None:
    wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.1]})
    runner = SimpleNamespace(iter=3, epoch=0, optim_wrapper=wrapper, cfg={}, work_dir="work_dirs/never_trained")
    for look in ("before_val_epoch", "after_train_epoch"):
        hook = FiniteLossHook()
        hook.after_train_iter(runner, 0, None, {"loss": torch.tensor(torch.nan)})
        with pytest.raises(TrainingError, match="iteration 4, epoch 1: loss is nan"):
            getattr(hook, look)(runner)
