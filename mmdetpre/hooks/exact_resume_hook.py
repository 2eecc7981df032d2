"""Resumes interrupted training in mid-epoch, with the losses of an uninterrupted run."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmdetpre.chips.lanes import LaneLayout
from mmdetpre.datasets.chips.batch_sampler import ChipBatchSampler
from mmdetpre.datasets.chips.sampler import ChipMiningSampler
from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run continue where the checkpoint was written: the same chips with the same random numbers.

    mmengine's epoch loop restarts the epoch that a checkpoint was taken in (``CheckpointHook(by_epoch=False)``). This
    hook writes the position of the :class:`mmdetpre.datasets.ChipMiningSampler`, and how
    :class:`mmdetpre.datasets.ChipBatchSampler` deals the epoch out, into each checkpoint and sets both when training
    resumes; the cost, that of mining the epoch again, does not depend on the position. It also seeds torch's
    generators before each iteration from (seed, iteration, rank), so that random choices of the model do not depend on
    the run's past. On the CPU the losses are then those of an uninterrupted run; on CUDA as far as the kernels are
    deterministic (RoIAlign's backward adds in any order).
    """

    priority = "VERY_HIGH"
    KEY = "chip_sampler"

    def __init__(self) -> None:
        self._first_iter = 0

    def before_train(self, runner: Runner) -> None:
        """Warns of a number of workers with which images are decoded more often than once."""
        loader = runner.train_dataloader
        batches, workers = loader.batch_sampler, loader.num_workers
        if isinstance(batches, ChipBatchSampler) and workers and batches.lanes % workers:
            runner.logger.warning(
                f"{workers} workers do not divide the {batches.lanes} lanes of ChipBatchSampler: the chips are the"
                " same, but images are decoded more than once. Set"
                f" train_dataloader.batch_sampler.lanes={workers}, or another multiple of num_workers."
            )

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
        """Adds epoch, chips seen in it (of all ranks), seed and, where it has one, layout to the checkpoint."""
        sampler = _chip_sampler(runner)
        if sampler is None:
            return
        epoch, seen = checkpoint["meta"]["epoch"], 0
        if epoch == runner.epoch:  # in mid-epoch: at its end mmengine names the next one
            batch = runner.train_dataloader.batch_sampler.batch_size * sampler.world_size
            seen = sampler.start + (checkpoint["meta"]["iter"] - self._first_iter) * batch
            seen = min(seen, len(sampler.table))  # the last batches may repeat chips, or be smaller
        checkpoint[self.KEY] = dict(epoch=epoch, chips_seen=seen, seed=sampler.seed)
        layout = getattr(runner.train_dataloader.batch_sampler, "layout", None)
        if layout is not None:
            checkpoint[self.KEY]["layout"] = layout._asdict()

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
        position = dict(checkpoint[self.KEY])
        layout, batches = position.pop("layout", None), runner.train_dataloader.batch_sampler
        if layout is not None and position["chips_seen"] and not isinstance(batches, ChipBatchSampler):
            print_log(
                "The checkpoint's epoch was dealt out by mmdetpre.ChipBatchSampler, which this config does not have:"
                " the epoch starts over. Set train_dataloader.batch_sampler=dict(type='mmdetpre.ChipBatchSampler')"
                " to finish it.",
                logger="current",
                level=30,
            )
            position["chips_seen"] = 0
        sampler.resume(**position)
        if isinstance(batches, ChipBatchSampler):
            batches.resume(None if layout is None else LaneLayout(**layout))


def _chip_sampler(runner: Runner) -> ChipMiningSampler | None:
    loader = runner.train_dataloader  # a dict (no attribute) before it is built
    batches = getattr(loader, "batch_sampler", None)
    sampler = batches.sampler if isinstance(batches, ChipBatchSampler) else getattr(loader, "sampler", None)
    return sampler if isinstance(sampler, ChipMiningSampler) else None
