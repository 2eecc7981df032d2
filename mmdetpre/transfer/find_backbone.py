"""Finds the backbone inside a model of mmdet, mmsegmentation or mmpretrain, under any wrapper."""

from __future__ import annotations

from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.model.averaged_model import BaseAveragedModel
from torch import nn


def find_backbone(model: nn.Module, name: str = "backbone") -> nn.Module:
    """The backbone of a model.

    Args:
        model: The model, or a DDP, averaged or test-time-augmentation wrapper around it.
        name: Where it is in the model: ``backbone``, or ``student.backbone`` in a semi-supervised one.

    Raises:
        ValueError: If there is none; the message lists those of the parts.
    """
    while is_model_wrapper(model) or isinstance(model, BaseAveragedModel | BaseTTAModel):
        model = model.get_submodule("module")
    try:
        return model.get_submodule(name)
    except AttributeError:
        others = [own for own, _ in model.named_modules() if own.endswith("backbone")]
        there = f"it has {', '.join(others)}" if others else f"its parts are {', '.join(dict(model.named_children()))}"
        raise ValueError(
            f"{type(model).__name__} has no part {name!r}; {there}. Say which with backbone='...'."
        ) from None
