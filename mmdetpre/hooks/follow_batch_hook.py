"""Learning rate and weight decay follow the total batch, at the start of a run and when it is resumed."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class FollowBatchHook(Hook):
    """Completes mmengine's ``auto_scale_lr``, which scales the learning rate, and that only when a run begins.

    The rule, for a total batch N (images or chips on all GPUs) and the ``base_batch_size`` B that the config's values
    are for, where ``auto_scale_lr.enable`` is set: the learning rate is that of the config times N / B; with
    ``auto_scale_lr.scale_weight_decay`` weight decay is that of the config times B / N, so that their product stays.
    The latter is right where the original adds up the gradients of its GPUs, as SNIPER does: its product is 1.5e-6 at
    any number of GPUs. Elsewhere weight decay stays, as is usual: then each epoch shrinks the weights by the same.

    A run that is resumed with another total batch takes its learning rate, that of its schedulers, and its weight decay
    along by the same rule. Each checkpoint remembers its batch for that.

    Raises:
        ValueError: If weight decay is to be scaled without ``auto_scale_lr.enable`` and ``base_batch_size``.

    Source: table of section 9 of the original's settings; "Accurate, Large Minibatch SGD" (2017) for the linear rule.

    Example:
        >>> hook = FollowBatchHook()  # in a config: custom_hooks = [dict(type="mmdetpre.FollowBatchHook")]
    """

    priority = "VERY_HIGH"
    KEY = "total_batch"

    def __init__(self) -> None:
        self._before: int | None = None
        self._resumes = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remembers the total batch of a run that is resumed."""
        self._resumes, self._before = bool(runner._resume), checkpoint.get(self.KEY)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adds the total batch."""
        checkpoint[self.KEY] = total_batch(runner)

    def before_train(self, runner: Runner) -> None:
        """Scales what mmengine has not scaled, and says so.

        Raises:
            ValueError: If ``scale_weight_decay`` is set where ``auto_scale_lr`` is not enabled.
        """
        rule: dict[str, Any] = runner.auto_scale_lr or {}
        decay = bool(rule.get("scale_weight_decay"))
        if not rule.get("enable"):
            if decay:
                raise ValueError(
                    "auto_scale_lr.scale_weight_decay follows the learning rate, which does not follow the batch: set"
                    " auto_scale_lr.enable=True, or scale_weight_decay=False."
                )
            return
        batch = total_batch(runner)
        if not self._resumes:
            if decay and batch != rule["base_batch_size"]:
                _scale(runner, "weight_decay", rule["base_batch_size"] / batch)
                runner.logger.info(f"Weight decay follows the batch: {self._told(runner, batch, rule)}.")
            return
        if self._before is None:
            runner.logger.log(
                logging.WARNING,
                "The checkpoint does not tell its total batch: learning rate and weight decay stay as they were, right"
                f" if it was {batch} as now.",
            )
        elif self._before != batch:
            _scale(runner, "lr", batch / self._before)
            if decay:
                _scale(runner, "weight_decay", self._before / batch)
            runner.logger.info(
                f"The run was saved with a total batch of {self._before}, its rates follow the present one:"
                f" {self._told(runner, batch, rule)}."
            )

    @staticmethod
    def _told(runner: Runner, batch: int, rule: dict[str, Any]) -> str:
        groups = [group for wrapper in _wrappers(runner) for group in wrapper.optimizer.param_groups]
        rate, decay = (max(group.get(name, 0) for group in groups) for name in ("lr", "weight_decay"))
        return f"lr {rate:.4g}, weight decay {decay:.4g} for {batch}, of a config for {rule['base_batch_size']}"


def total_batch(runner: Runner) -> int:
    """Images or chips that a step of all ranks sees."""
    return int(runner.world_size * runner.train_dataloader.batch_sampler.batch_size)


def _wrappers(runner: Runner) -> list[OptimWrapper]:
    wrapper = runner.optim_wrapper
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]


def _scale(runner: Runner, name: str, factor: float) -> None:
    """Scale a value of all parameter groups, and what the schedulers remember of it."""
    for wrapper in _wrappers(runner):
        for group in wrapper.param_groups:  # also that of the values that the log shows
            for key in (name, f"initial_{name}"):
                if key in group:
                    group[key] *= factor
    schedulers = runner.param_schedulers or []
    for one in schedulers.values() if isinstance(schedulers, dict) else (schedulers,):
        for scheduler in one:
            if scheduler.param_name == name:
                scheduler.base_values = [value * factor for value in scheduler.base_values]
