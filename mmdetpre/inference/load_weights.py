"""Weights of a whole model, checked to fit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from mmdetpre.checkpoints.fit import require_fit


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], name: str) -> None:
    """Load weights into a model that they fit completely; what wraps a model for several GPUs is taken off.

    Args:
        model: The model itself, not a wrapper.
        checkpoint: What was read from the file, with or without the key ``state_dict``.
        name: What messages call the checkpoint, usually its path.

    Raises:
        ValueError: As :func:`mmdetpre.checkpoints.fit.require_fit` does.
    """
    require_fit(model, checkpoint, name)
    weights = checkpoint.get("state_dict", checkpoint)
    model.load_state_dict({key.removeprefix("module."): value for key, value in weights.items()}, strict=False)
