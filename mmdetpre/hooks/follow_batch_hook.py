"""Learning rate and weight decay follow the total batch, at the start of a run and when it is resumed."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS

_PROGRESS = ("last_step", "_global_step", "_last_value", "base_values")
"""What a scheduler's state tells of the run; the rest is its settings."""


@HOOKS.register_module()
class FollowBatchHook(Hook):
    """Completes mmengine's ``auto_scale_lr``, which scales the learning rate, and that only when a run begins.

    The rule, for a total batch N (images or chips on all GPUs) and the ``base_batch_size`` B that the config's values
    are for, where ``auto_scale_lr.enable`` is set: the learning rate is that of the config times N / B; with
    ``auto_scale_lr.scale_weight_decay`` weight decay is that of the config times B / N, so that their product stays.
    The latter is right where the original adds up the gradients of its GPUs, as SNIPER does: its product is 1.5e-6 at
    any number of GPUs. Elsewhere weight decay stays, as is usual: then each epoch shrinks the weights by the same.

    A run that is resumed with another total batch takes its learning rate, that of its schedulers, and its weight decay
    along by the same rule; schedulers that count epochs in steps (``convert_to_iter_based``) count the present ones.
    Each checkpoint remembers its batch for that. Where ``auto_scale_lr`` is not enabled, such a run is refused.

    Args:
        keep_rates: Without ``auto_scale_lr.enable``, go on with another total batch and the rates of before.

    Raises:
        ValueError: If weight decay is to be scaled without ``auto_scale_lr.enable`` and ``base_batch_size``; or if the
            batch of a resumed run is another one, and the config has no rule for that.

    Source: table of section 9 of the original's settings; "Accurate, Large Minibatch SGD" (2017) for the linear rule.

    Example:
        >>> hook = FollowBatchHook()  # in a config: custom_hooks = [dict(type="mmdetpre.FollowBatchHook")]
    """

    priority = "VERY_HIGH"
    KEY = "total_batch"

    def __init__(self, keep_rates: bool = False) -> None:
        self.keep_rates = keep_rates
        self._before: int | None = None
        self._resumes = False
        self._built: list[dict[str, Any]] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remembers the total batch of a run that is resumed, and the schedulers as this config has them."""
        self._resumes, self._before = bool(runner._resume), checkpoint.get(self.KEY)
        if self._resumes:
            self._built = [scheduler.state_dict() for scheduler in _schedulers(runner)]

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adds the total batch."""
        checkpoint[self.KEY] = total_batch(runner)

    def before_train(self, runner: Runner) -> None:
        """Scales what mmengine has not scaled, and says so.

        Raises:
            ValueError: If ``scale_weight_decay`` is set where ``auto_scale_lr`` is not enabled, or nothing says how the
                rates of a resumed run follow its new batch.
        """
        rule: dict[str, Any] = runner.auto_scale_lr or {}
        batch = total_batch(runner)
        changed = self._resumes and self._before not in (None, batch)
        decay = bool(rule.get("scale_weight_decay"))
        if not rule.get("enable"):
            if decay:
                raise ValueError(
                    "auto_scale_lr.scale_weight_decay follows the learning rate, which does not follow the batch: set"
                    " auto_scale_lr.enable=True, or scale_weight_decay=False."
                )
            if changed and not self.keep_rates:
                raise ValueError(
                    f"The run was saved with a total batch of {self._before}, this one has {batch}, and the learning"
                    f" rate of this config does not follow the batch. Resume with {self._before} (ranks times"
                    " train_dataloader.batch_size), or have it follow: auto_scale_lr.enable=True"
                    f" auto_scale_lr.base_batch_size={self._before}, or keep it:"
                    " default_hooks.follow_batch.keep_rates=True."
                )
            if changed:
                self._count_present_steps(runner, batch)
            return
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
        elif changed:
            self._count_present_steps(runner, batch)
            _scale(runner, "lr", batch / self._before)
            if decay:
                _scale(runner, "weight_decay", self._before / batch)
            runner.logger.info(
                f"The run was saved with a total batch of {self._before}, its rates follow the present one:"
                f" {self._told(runner, batch, rule)}."
            )

    def _count_present_steps(self, runner: Runner, batch: int) -> None:
        """Schedulers whose epochs are counted in steps were loaded with those of the batch before."""
        assert self._before is not None
        for scheduler, built in zip(_schedulers(runner), self._built, strict=True):
            loaded = scheduler.state_dict()
            lengths = {key: value for key, value in built.items() if key not in _PROGRESS and loaded[key] != value}
            if lengths and not scheduler.by_epoch:
                steps = {key: round(loaded[key] * self._before / batch) for key in ("last_step", "_global_step")}
                scheduler.load_state_dict({**loaded, **lengths, **steps})

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
    for scheduler in _schedulers(runner):
        if scheduler.param_name == name:
            scheduler.base_values = [value * factor for value in scheduler.base_values]


def _schedulers(runner: Runner) -> list[Any]:
    schedulers = runner.param_schedulers or []
    return [one for part in schedulers.values() for one in part] if isinstance(schedulers, dict) else list(schedulers)
