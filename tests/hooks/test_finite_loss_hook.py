"""A loss that is not finite stops the run, and the checkpoint before it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.checkpoints.torch_file import read_torch_file
from mmdetpre.compat.training_faults import TrainingError


def test_the_first_bad_iteration_stops_the_run(small_run: Callable, tmp_path: Path) -> None:
    runner = small_run(dict(by_epoch=False, interval=1, max_keep_ckpts=2))
    runner.cfg = Config({"optim_wrapper": {"optimizer": {"lr": 0.02}}})
    runner.model.bad_at = {6}
    with pytest.raises(TrainingError) as caught:
        runner.train()
    said = str(caught.value)
    assert "not finite at iteration 6, epoch 2: loss_near is nan, loss is nan; it was " in said
    assert "at iteration 5" in said and "was 0.02 at this iteration" in said
    assert "optim_wrapper.optimizer.lr=0.004" in said and "loss_far" not in said
    assert "The batch held 2.jpg, 3.jpg" in said
    last = newest_whole(tmp_path / "work").path
    assert last is not None and last.name == "iter_5.pth" and f"load_from={last}" in said
    weights = read_torch_file(last)["state_dict"]
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_infinite_counts_and_other_values_do_not(small_run: Callable) -> None:
    runner = small_run()
    runner.model.bad_at, runner.model.bad_value = {1}, float("inf")
    with pytest.raises(TrainingError, match=r"iteration 1, epoch 1: loss_near is inf.*Begin anew"):
        runner.train()


def test_an_accuracy_that_is_no_number_stops_nothing(small_run: Callable) -> None:
    class NoAccuracy(Hook):
        priority = "VERY_HIGH"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            outputs["acc"] = torch.tensor(float("nan"))

    runner = small_run()
    runner.register_hook(NoAccuracy())
    runner.train()
    assert runner.iter == 8


def test_weights_that_are_not_finite_are_not_saved(small_run: Callable, tmp_path: Path) -> None:
    class Spoils(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            if runner.iter == 7:  # the last step; its loss was finite
                runner.model.layer.weight.data.fill_(float("inf"))

    runner = small_run()
    runner.register_hook(Spoils())
    with pytest.raises(TrainingError, match=r"not finite after iteration 8 \(layer.weight\), and are not saved"):
        runner.train()
    last = newest_whole(tmp_path / "work").path
    assert last is not None and last.name == "epoch_1.pth"


def test_a_loss_scale_that_skips_steps_is_given_time(small_run: Callable) -> None:
    from mmdetpre.hooks import FiniteLossHook

    scaler = SimpleNamespace(is_enabled=lambda: True)
    wrapper = SimpleNamespace(loss_scaler=scaler, get_lr=lambda: {"lr": [0.1]})
    warned: list[str] = []
    logger = SimpleNamespace(warning=warned.append)
    runner = SimpleNamespace(
        iter=10, epoch=0, optim_wrapper=wrapper, logger=logger, cfg={}, work_dir="work_dirs/never_trained"
    )
    hook, bad, good = FiniteLossHook(patience=2), {"loss": torch.tensor(torch.inf)}, {"loss": torch.tensor(1.0)}
    for outputs in (bad, bad, good, bad, bad):
        hook.after_train_iter(runner, 0, None, outputs)
        runner.iter += 1
    assert len(warned) == 2 and "skips this step" in warned[0]
    with pytest.raises(TrainingError, match=r"iteration 14 \(and 2 more\)"):
        hook.after_train_iter(runner, 0, None, bad)
