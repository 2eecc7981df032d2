"""Report broken images at the end of every training epoch."""

from __future__ import annotations

import logging

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class BrokenImageHook(Hook):
    """Logs how many images of a ``ChipDataset`` were broken, and names the first few.

    In a distributed run the counts of all processes are joined, so that the limit holds for all of them together.
    """

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
