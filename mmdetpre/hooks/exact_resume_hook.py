"""Resumes interrupted training in mid-epoch, with the losses of an uninterrupted run."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmdetpre.datasets.chips.sampler import ChipMiningSampler
from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run continue where the checkpoint was written: the same chips with the same random numbers.

    mmengine's epoch loop restarts the epoch that a checkpoint was taken in (``CheckpointHook(by_epoch=False)``). This
    hook writes the position of the :class:`mmdetpre.datasets.ChipMiningSampler` into each checkpoint and sets it when
    training resumes; the cost, that of mining the epoch again, does not depend on the position. It also seeds torch's
    generators before each iteration from (seed, iteration, rank), so that random choices of the model do not depend on
    the run's past. On the CPU the losses are then those of an uninterrupted run; on CUDA as far as the kernels are
    deterministic (RoIAlign's backward adds in any order).
    """

    priority = "VERY_HIGH"
    KEY = "chip_sampler"

    def __init__(self) -> None:
        self._first_iter = 0

    def before_train_epoch(self, runner: Runner) -> None:
        """Remembers at which iteration this epoch, or what is left of it, begins."""
        self._first_iter = runner.iter

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seeds torch's generators, CUDA's included, for this iteration.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in the epoch.
            data_batch: Not used.
        """
        state = np.random.SeedSequence((runner.seed or 0, runner.iter, get_rank())).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]) >> 1)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adds epoch, chips seen in it (of all ranks) and seed to the checkpoint."""
        sampler = _chip_sampler(runner)
        if sampler is None:
            return
        epoch, seen = checkpoint["meta"]["epoch"], 0
        if epoch == runner.epoch:  # in mid-epoch: at its end mmengine names the next one
            batch = runner.train_dataloader.batch_sampler.batch_size * sampler.world_size
            seen = sampler.start + (checkpoint["meta"]["iter"] - self._first_iter) * batch
            seen = min(seen, len(sampler.table))  # the last batches may repeat chips, or be smaller
        checkpoint[self.KEY] = dict(epoch=epoch, chips_seen=seen, seed=sampler.seed)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Sets the sampler when training resumes; weights that are only loaded leave it alone."""
        sampler = _chip_sampler(runner) if runner._resume else None
        if sampler is None:
            return
        if self.KEY not in checkpoint:
            print_log(
                "The checkpoint holds no chip position (it was saved without mmdetpre.ExactResumeHook): its epoch"
                " starts from scratch.",
                logger="current",
                level=30,
            )
            return
        sampler.resume(**checkpoint[self.KEY])


def _chip_sampler(runner: Runner) -> ChipMiningSampler | None:
    sampler = getattr(runner.train_dataloader, "sampler", None)  # a dict (no attribute) before it is built
    return sampler if isinstance(sampler, ChipMiningSampler) else None
