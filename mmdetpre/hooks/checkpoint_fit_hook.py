"""A checkpoint or data that do not fit the model are an error, not a warning."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdetpre.checkpoints.dataset_meta import learned_classes
from mmdetpre.checkpoints.fit import require_classes, require_fit
from mmdetpre.registry import HOOKS
from mmdetpre.transfer.find_backbone import find_backbone
from mmdetpre.utils.plain_text import one_line


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Refuses what does not fit: testing, validating or resuming with a checkpoint of another class count, another
    model or only a part of it, and training on data of another class count.

    mmengine warns and goes on with random weights. That is right where training starts from other weights
    (``load_from`` without ``resume``), and left alone there; elsewhere the results would be noise. As many classes of
    other names, which may be the same classes in another order, are warned of.

    Raises:
        ValueError: See :func:`mmdetpre.checkpoints.fit.require_fit` and
            :func:`mmdetpre.checkpoints.fit.require_classes`.
    """

    def before_train(self, runner: Runner) -> None:
        """Checks that the model has the number of classes of the training data."""
        classes = getattr(runner.train_loop.dataloader.dataset, "metainfo", {}).get("classes")
        if classes:
            require_classes(find_backbone(runner.model, ""), classes)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Checks that the checkpoint fits the model and the data."""
        trains = isinstance(runner._train_loop, BaseLoop)  # a dict before train() builds it
        if trains and not runner._resume:
            return
        model = find_backbone(runner.model, "")
        name = str(runner._load_from or "The checkpoint")
        require_fit(model, checkpoint, name)
        learned = learned_classes(checkpoint, name)
        tested = _tested_classes(runner)
        if len(learned) == len(tested) and tuple(learned) != tuple(tested):
            k = next(k for k, pair in enumerate(zip(learned, tested, strict=True)) if pair[0] != pair[1])
            runner.logger.warning(
                f"{name} learned other class names than those that are tested: class {k} is {_short(learned[k])} there"
                f" and {_short(tested[k])} here. Unless only the spelling differs, every score is of the wrong class."
            )


def _short(name: object) -> str:
    return reprlib.repr(one_line(name))


def _tested_classes(runner: Runner) -> Sequence[str]:
    for loop in (runner._test_loop, runner._val_loop):
        dataset = getattr(getattr(loop, "dataloader", None), "dataset", None)  # a dict has neither
        if classes := getattr(dataset, "metainfo", {}).get("classes"):
            return classes
    return ()
