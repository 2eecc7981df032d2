"""How long a training and its test take, by a few steps of the very config on the data."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS, RUNNERS, DefaultScope
from mmengine.runner import Runner

from mmdetpre.console.last_words import error_line
from mmdetpre.transfer.backbone_init import KEY, OLD_KEY, chosen_init
from mmdetpre.utils.read_config import read_config

STEPS = 5
"""Steps that are timed, after a first one that is not."""
ENOUGH = 10.0
"""Seconds after which no further step is timed."""


def time_config(config: str | Path, *, tta: bool = False) -> dict[str, float]:
    """Train a config for a few steps, test a few images, and count what a whole run has of both.

    No weights are loaded: time does not depend on them, and they may not be there yet. Nothing is kept.

    Args:
        config: A resolved config of mmdet, mmsegmentation or mmpretrain.
        tta: Test at the scales of its ``tta_model``.

    Returns:
        ``begin``: seconds for all but steps and images: models are built, data are opened; ``step``: seconds of a
        training step, the wait for its data included; ``steps``: of the whole training; ``image``: seconds of a test
        image; ``images``: test images, ``train_images``: training images.

    Raises:
        NotBuilt: If the model cannot be built.
        FileNotFoundError, ValueError: As a training does.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        cfg = read_config(config)
        cfg.work_dir, cfg.resume, cfg.load_from = folder, False, None
        cfg[KEY] = {**{k: v for k, v in (chosen_init(cfg) or {}).items() if k != "name"}, "checkpoint": None}
        cfg.pop(OLD_KEY, None)
        if isinstance(cfg.model.get("backbone"), Mapping):
            cfg.model.backbone.pop("init_cfg", None)
        if isinstance(cfg.get("visualizer"), Mapping):
            cfg.visualizer["vis_backends"] = []
        try:
            runner = RUNNERS.build(cfg)
        except Exception as error:  # constructors raise all kinds
            raise NotBuilt(f"its model cannot be built: {error_line(error)}") from error
        clock = _Clock()
        runner.register_hook(clock, priority="LOWEST")
        with suppress(_Enough):
            runner.train()
        found = {"step": clock.step, "steps": float(runner.max_iters)}
        found["train_images"] = float(len(runner.train_dataloader.dataset))
        image, images, tested = _test(runner, cfg, tta)
        taken = time.monotonic() - began - (clock.ends[-1] - clock.began) - tested
        return found | {"image": image, "images": float(images), "begin": taken}


class NotBuilt(ValueError):
    """No training can begin: its model, or what is around it, cannot be built of the config."""


class _Enough(Exception):
    """Enough steps were timed."""


class _Clock(Hook):
    """Notes when each step ends, and ends the training by an exception."""

    def __init__(self) -> None:
        self.began = 0.0
        self.ends: list[float] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Notes when the first step begins."""
        self.began = self.began or time.monotonic()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Notes when a step ends."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.monotonic())
        if len(self.ends) > STEPS or self.ends[-1] - self.began > ENOUGH:
            raise _Enough

    @property
    def step(self) -> float:
        """Seconds of a step: of those after the first; of that where there is no other."""
        if len(self.ends) < 2:
            return self.ends[0] - self.began
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def _test(runner: Runner, cfg: Config, tta: bool) -> tuple[float, int, float]:
    """Seconds of a test image after the first batch, the number of images, and the seconds that this took."""
    loader, model = dict(cfg.test_dataloader), runner.model
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        if tta:
            loader["dataset"] = {**loader["dataset"], "pipeline": cfg.tta_pipeline}
            model = MODELS.build({**cfg.tta_model, "module": model})
        batches = Runner.build_dataloader(loader, seed=0)
    model.eval()
    images, taken, began = 0, 0.0, time.monotonic()
    with torch.no_grad():
        for number, (batch, seconds) in enumerate(_timed(islice(batches, STEPS + 1), model)):
            count = len(batch["inputs"]) if isinstance(batch, Mapping) else 1
            if number == 1:  # the first one warms up
                images, taken = 0, 0.0
            images, taken = images + count, taken + seconds
            if taken > ENOUGH:
                break
    return taken / max(images, 1), len(batches.dataset), time.monotonic() - began


def _timed(batches: Iterator[Any], model: Any) -> Iterator[tuple[Any, float]]:
    began = time.monotonic()
    for batch in batches:
        model.test_step(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ended = time.monotonic()
        yield batch, ended - began
        began = ended
