"""Stops a training whose loss is not finite, before its weights are saved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.compat.training_faults import TrainingError
from mmdetpre.hooks.late_values import LateValues, is_late
from mmdetpre.registry import HOOKS


class _Step(NamedTuple):
    """What the message about a step names."""

    iteration: int
    epoch: int
    rate: float | None
    images: str


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops at the first iteration whose loss is infinite or no number, and keeps the checkpoint before it.

    mmdet's ``CheckInvalidLossHook`` looks at every 50th iteration, and asserts; meanwhile such weights may have been
    saved over the sound ones. This one looks at each, names the losses, the learning rate and the images, and also
    refuses to save weights that are not finite, which a finite loss may leave.

    On a CPU it checks them at once. A GPU would have to be waited for: there the losses of ``interval`` iterations are
    checked together, and in any case before a checkpoint is saved, before a validation and at the end of an epoch.

    With a dynamic loss scale (``AmpOptimWrapper``) steps with such gradients are skipped and the scale is lowered: the
    run stops only if it does not recover.

    Args:
        patience: Iterations in a row that may fail where a dynamic loss scale skips them.
        interval: Iterations whose losses are fetched from a GPU together.

    Raises:
        TrainingError: Says what was found and what to change.
    """

    priority = "NORMAL"  # before the hooks that log and save

    def __init__(self, patience: int = 25, interval: int = 50) -> None:
        self.patience, self.interval = patience, interval
        self._failed = 0
        self._last_finite = ""
        self._late = LateValues()
        self._steps: list[_Step] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Checks the losses of this iteration, or notes them.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in the epoch.
            data_batch: The batch, to name its images.
            outputs: The losses by name.

        Raises:
            TrainingError: If a loss is not finite, unless the loss scale skips the step, ``patience`` times at most.
        """
        values = _losses(outputs or {})
        self._late.add(values)
        self._steps.append(_Step(runner.iter + 1, runner.epoch + 1, _rate(runner), _images(data_batch)))
        if len(self._late) >= self.interval or not any(map(is_late, values.values())):
            self._check(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Checks what was noted.

        Raises:
            TrainingError: As after an iteration.
        """
        self._check(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        """Checks what was noted.

        Raises:
            TrainingError: As after an iteration.
        """
        self._check(runner)

    def _check(self, runner: Runner) -> None:
        values, steps = self._late.take(), self._steps
        self._steps = []
        for step, losses in zip(steps, values, strict=True):
            bad = {name: value for name, value in losses.items() if not math.isfinite(value)}
            if not bad:
                self._failed = 0
                if "loss" in losses:
                    self._last_finite = f"it was {losses['loss']:.4g} at iteration {step.iteration}"
                continue
            self._failed += 1
            if self._failed > self.patience or not _skips_steps(runner):
                raise TrainingError(_message(runner, step, bad, self._failed, self._last_finite))
            if self._failed == 1:
                runner.logger.warning(
                    f"The loss is not finite at iteration {step.iteration}: the loss scale skips this step. The run"
                    f" stops if {self.patience} more follow."
                )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuses weights that are not finite, or that a loss was not finite for: the checkpoint before stays.

        Raises:
            TrainingError: If weights, or losses that were noted, are not finite.
        """
        self._check(runner)
        for name, tensor in checkpoint["state_dict"].items():
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                iteration = checkpoint["meta"]["iter"]
                found = f"The weights are not finite after iteration {iteration} ({name}), and are not saved."
                raise TrainingError(f"{found} {_remedy(runner, _rate(runner))}")


def _losses(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The single losses, then their sum; a model logs other values too, which may well be no numbers."""
    names = sorted((name for name in outputs if "loss" in name), key=lambda name: name == "loss")
    return {name: value for name in names if isinstance(value := outputs[name], int | float | torch.Tensor)}


def _skips_steps(runner: Runner) -> bool:
    scaler = getattr(runner.optim_wrapper, "loss_scaler", None)
    return bool(scaler is not None and getattr(scaler, "is_enabled", lambda: False)())


def _message(runner: Runner, step: _Step, bad: Mapping[str, float], failed: int, before: str) -> str:
    first = step.iteration + 1 - failed
    shown = ", ".join(f"{name} is {value}" for name, value in bad.items())
    since = f" (and {failed - 1} more)" if failed > 1 else ""
    held = f" The batch held {step.images}: if the rate is not the cause, look at these." if step.images else ""
    return (
        f"The loss is not finite at iteration {first}{since}, epoch {step.epoch}: {shown}"
        f"{f'; {before}' if before else ''}. {_remedy(runner, step.rate)}{held}"
    )


def _rate(runner: Runner) -> float | None:
    rates = (rate for group in runner.optim_wrapper.get_lr().values() for rate in _flat(group))
    return max(rates, default=None)


def _remedy(runner: Runner, rate: float | None) -> str:
    was = " is in the optimizer" if rate is None else f" was {rate:.3g} at this iteration"
    optimizer = (runner.cfg.get("optim_wrapper") or {}).get("optimizer") or {}
    lower = f"={optimizer['lr'] / 5:.3g}" if isinstance(optimizer.get("lr"), int | float) else " to a fifth"
    found = newest_whole(runner.work_dir).path
    kept = f"{found} stands, from before: load_from={found} begins with its weights" if found else "Begin anew"
    return (
        f"Mostly the learning rate is too high; it{was}. Set"
        f" optim_wrapper.optimizer.lr{lower}, a longer warm-up, or optim_wrapper.clip_grad.max_norm=10. {kept}"
        " (--resume would go on with the rate of the checkpoint)."
    )


def _flat(value: Any) -> list[float]:
    return [value] if isinstance(value, int | float) else list(value)


def _images(batch: Any, most: int = 4) -> str:
    """Names of the images in a batch of any of the three toolboxes."""
    samples = batch.get("data_samples") if isinstance(batch, Mapping) else None
    if not isinstance(samples, Sequence):
        return ""
    names = [Path(path).name for sample in samples if (path := getattr(sample, "img_path", None))]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
