"""Learning rates that fall with the depth in the backbone, for detectors and segmentors too."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from torch import nn

from mmdetpre.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's constructor for any model whose ``backbone`` has mmpretrain's ``get_layer_depth``.

    Settings are its own, in ``paramwise_cfg``: ``layer_decay_rate``, ``norm_decay_mult``, ``bias_decay_mult``,
    ``flat_decay_mult``, ``custom_keys``; what is not in the backbone counts as last layer. An ``lr_mult`` of
    ``custom_keys``, which mmpretrain's constructor ignores, multiplies the rate.
    """

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = "", **kwargs: Any) -> None:
        """Add the parameters of a module, each as a group of its own.

        Args:
            params: Groups so far; extended in place.
            module: The model, or a part of it.
            prefix: Name of the part in the model.
            kwargs: As for mmpretrain's.

        Raises:
            ValueError: If the model has no backbone that knows the depth of its layers.
        """
        if prefix:
            return super().add_params(params, module, prefix, **kwargs)
        depth = getattr(getattr(module, "backbone", None), "get_layer_depth", None)
        if depth is None:
            raise ValueError(
                f"Rates by depth need a backbone that knows it, such as ViT and ConvNeXt of mmpretrain:"
                f" {type(getattr(module, 'backbone', module)).__name__} has no get_layer_depth."
            )
        super().add_params(params, module, prefix, get_layer_depth=partial(depth, prefix="backbone."))
        for group in params:
            group["lr"] *= group.pop("lr_mult", 1.0)
