"""The lines of a run on the console: what is trained, how far it is, scores, files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import LoggerHook
from mmengine.runner import BaseLoop, Runner

from mmdetpre.console.console_filter import tell
from mmdetpre.console.progress_line import duration, scores_text, training_line
from mmdetpre.console.run_summary import testing_lines, training_lines, written_files
from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class BriefLoggerHook(LoggerHook):
    """mmengine's LoggerHook, whose lines go to the log file, and a few lines for the console.

    These say what is trained, on what, from which weights and for how long; losses and the time left at the end of
    every epoch, however short, before every validation, and in between every ``seconds``; scores; and the files that
    were written. With ``log_processor.console="full"``, or another log processor than `BriefLogProcessor`, the hook is
    LoggerHook and nothing more.

    Args:
        *args: Of mmengine's LoggerHook, as ``interval``.
        seconds: Longest time without a line while an epoch or a test runs.
        **kwargs: Of mmengine's LoggerHook.

    Example:
        ``default_hooks = dict(logger=dict(type="mmdetpre.BriefLoggerHook", interval=50))``
    """

    def __init__(self, *args: Any, seconds: float = 60.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds = seconds
        self._brief = False
        self._begun = False
        self._began = self._told = self._test_began = 0.0
        self._step = 0

    def before_run(self, runner: Runner) -> None:
        """Takes over from mmengine's lines."""
        super().before_run(runner)
        shown = getattr(runner.log_processor, "shown", None)
        self._brief = shown is not None and is_main_process()
        self._begun = False
        self._began = time.time()
        if shown is not None:
            shown.progress = True

    def before_train_epoch(self, runner: Runner) -> None:
        """Says, once, what is trained."""
        if self._brief and not self._begun:
            self._begun = True
            self._say(runner, *training_lines(runner))
            self._step = runner.iter

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """A line, if the last one is long ago.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in the epoch.
            data_batch: Passed to the parent.
            outputs: Passed to the parent.
        """
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._brief and time.time() - self._told >= self.seconds:
            self._progress(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """A line for every epoch."""
        super().after_train_epoch(runner)
        self._progress(runner, runner.iter, ends=runner.epoch + 1 == runner.max_epochs)

    def before_val_epoch(self, runner: Runner) -> None:
        """A line before every validation; what is validated, if nothing is trained."""
        self._before_test(runner, "val")

    def before_test_epoch(self, runner: Runner) -> None:
        """Says what is tested."""
        self._before_test(runner, "test")

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """A line, if the last one is long ago.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: Passed to the parent.
            outputs: Passed to the parent.
        """
        super().after_val_iter(runner, batch_idx, data_batch, outputs)
        self._test_progress(runner, "val", batch_idx + 1)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """A line, if the last one is long ago.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: Passed to the parent.
            outputs: Passed to the parent.
        """
        super().after_test_iter(runner, batch_idx, data_batch, outputs)
        self._test_progress(runner, "test", batch_idx + 1)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """The scores."""
        super().after_val_epoch(runner, metrics)
        self._scores(runner, "val", metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """The scores, and their file."""
        super().after_test_epoch(runner, metrics)
        self._scores(runner, "test", metrics)
        if self._brief:
            self._say(runner, f"Written: {Path(runner.log_dir, str(self.json_log_path))}")

    def after_run(self, runner: Runner) -> None:
        """The files that were written."""
        super().after_run(runner)
        files = written_files(runner.work_dir, self._began) if self._brief else []
        if files:
            self._say(runner, f"Written to {runner.work_dir}: {', '.join(path.name for path in files)}")

    def _say(self, runner: Runner, *lines: str) -> None:
        for line in lines:
            tell(line, runner.logger)
        self._told = time.time()

    def _progress(self, runner: Runner, step: int, ends: bool = False) -> None:
        if not self._brief or step <= self._step:
            return
        values = {
            name.removeprefix("train/"): float(buffer.mean(step - self._step))
            for name, buffer in runner.message_hub.log_scalars.items()
            if name.startswith("train/") and "loss" in name
        }
        rates = [rate for group in runner.optim_wrapper.get_lr().values() for rate in group]
        by_epoch = _counts_epochs(runner)
        line = training_line(
            step=step,
            steps=runner.max_iters,
            losses=values,
            epoch=runner.epoch + 1 if by_epoch else None,
            epochs=runner.max_epochs if by_epoch else None,
            rate=max(rates, default=None),
            left=None if ends else runner.message_hub.runtime_info.get("eta"),
        )
        self._say(runner, line)
        self._step = step

    def _before_test(self, runner: Runner, part: str) -> None:
        if not self._brief:
            return
        self._test_began = self._told = time.time()
        if self._begun:
            self._progress(runner, runner.iter)
        elif not isinstance(runner._train_loop, BaseLoop):
            self._begun = True
            self._say(runner, *testing_lines(runner, part))

    def _test_progress(self, runner: Runner, part: str, done: int) -> None:
        if self._brief and time.time() - self._told >= self.seconds:
            count = len(getattr(runner, f"{part}_dataloader"))
            left = (time.time() - self._test_began) / done * (count - done)
            what = "test" if part == "test" else "validation"
            self._say(runner, f"{what} {done}/{count}: {duration(left)} left")

    def _scores(self, runner: Runner, part: str, metrics: Mapping[str, Any] | None) -> None:
        if not self._brief:
            return
        noted = {name.removeprefix(f"{part}/"): log.current() for name, log in runner.message_hub.log_scalars.items()
                 if name.startswith(f"{part}/")}  # fmt: skip
        scores = {name: value for name, value in noted.items() if name not in (metrics or {})} | dict(metrics or {})
        images = len(getattr(runner, f"{part}_dataloader").dataset)
        taken = duration(time.time() - self._test_began)
        when = ""
        if part == "val" and isinstance(runner._train_loop, BaseLoop):
            when = f" after epoch {runner.epoch}" if _counts_epochs(runner) else f" after step {runner.iter}"
        self._say(runner, f"Scores{when}: {scores_text(scores)} ({images} images, {taken})")


def _counts_epochs(runner: Runner) -> bool:
    return bool(getattr(runner.log_processor, "by_epoch", True)) and hasattr(runner.train_loop, "_max_epochs")
