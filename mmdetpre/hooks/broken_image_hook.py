"""Report broken images at the end of every training epoch."""

from __future__ import annotations

import logging

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class BrokenImageHook(Hook):
    """Logs how many images of a ``ChipDataset`` were broken, and names the first few.

    In a distributed run the counts of all ranks are joined here: during the epoch ``max_broken`` of the data set holds
    for each rank alone, at its end for all of them together, and all of them stop. The count is not written to
    checkpoints: a resumed run counts from zero.

    Raises:
        TooManyBrokenImages: After an epoch, on every rank, if all ranks together found more than ``max_broken``.
    """

    priority = "LOWEST"  # behind the hook that saves the epoch's checkpoint: nothing that was learned is lost

    def after_train_epoch(self, runner: Runner) -> None:
        broken = getattr(runner.train_dataloader.dataset, "broken_images", None)
        if broken is None:
            return
        broken.synchronize()
        if count := broken.count():
            examples = broken.examples()
            more = ", ..." if count > len(examples) else ""
            runner.logger.log(
                logging.WARNING,
                f"{count} broken images so far (the run stops above {broken.limit}): {', '.join(examples)}{more}",
            )
