"""All ranks validate with the buffers of rank 0, which are those of the checkpoint."""

from __future__ import annotations

from mmengine.dist import broadcast, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class SameBuffersHook(Hook):
    """Before each validation rank 0 hands its buffers to the other ranks, so that all of them test one model.

    Ranks share weights and gradients, but each takes the running statistics of batch normalization from the images
    that it saw itself. The checkpoint holds those of rank 0, which writes it; ranks that validate with their own give
    scores that no test of the checkpoint repeats. With this hook they are the same, bit by bit. What is trained and
    what is saved stays as it is.

    mmengine's ``SyncBuffersHook`` takes the mean of all ranks at the end of an epoch instead, so that a checkpoint that
    is counted in iterations is written before it, with other statistics than those validated.
    """

    priority = "LOWEST"  # behind EMAHook, which puts the averaged model in place

    def before_val_epoch(self, runner: Runner) -> None:
        """Hands out the buffers of rank 0."""
        if get_world_size() > 1:
            for buffer in runner.model.buffers():
                broadcast(buffer, src=0)
