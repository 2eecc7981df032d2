"""A test with a checkpoint that does not fit is an error, not a warning."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from mmdetpre.checkpoint_fit import require_fit
from mmdetpre.registry import HOOKS


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Refuses to test, validate or resume with a checkpoint of another class count or another model.

    mmengine warns and goes on with random weights. That is right where training starts from other weights
    (``load_from`` without ``resume``), and left alone there; elsewhere the results would be noise.

    Raises:
        ValueError: See :func:`mmdetpre.checkpoint_fit.require_fit`.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        trains = isinstance(runner._train_loop, BaseLoop)  # a dict before train() builds it
        if trains and not runner._resume:
            return
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        require_fit(model, checkpoint, str(runner._load_from or "The checkpoint"))
