"""The weights of a whole model, and the names of the classes it distinguishes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmdetpre.checkpoints.dataset_meta import learned_classes
from mmdetpre.checkpoints.fit import class_head, require_fit


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], name: str) -> None:
    """Load a checkpoint into the model it was trained as.

    Args:
        model: The model itself, not a wrapper.
        checkpoint: What was read from the file, with or without the key ``state_dict``.
        name: What messages call it.

    Raises:
        ValueError: See :func:`mmdetpre.checkpoints.fit.require_fit`.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> load_weights(model, {"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}, "a.pth")
        >>> model.weight.tolist()
        [[1.0, 1.0]]
    """
    require_fit(model, checkpoint, name)
    weights = checkpoint.get("state_dict", checkpoint)
    model.load_state_dict({key.removeprefix("module."): value for key, value in weights.items()}, strict=False)


def load_whole(cfg: Config, model: nn.Module, checkpoint: str | os.PathLike[str]) -> tuple[str, ...]:
    """Load a checkpoint file into the model of a config, and tell its classes.

    Args:
        cfg: The config.
        model: The model itself, not a wrapper.
        checkpoint: Path or address of the file.

    Returns:
        As `class_names`.

    Raises:
        ValueError: As `load_weights` and `class_names`.
    """
    name = str(checkpoint)
    content = CheckpointLoader.load_checkpoint(name, map_location="cpu")
    load_weights(model, content, name)
    return class_names(cfg, model, learned_classes(content, name), name)


def class_names(cfg: Config, model: nn.Module, learned: Sequence[str], name: str) -> tuple[str, ...]:
    """Names of the classes of a model: of its checkpoint, else of the data of its config, else ``class 0`` and so on.

    Args:
        cfg: The config.
        model: The model.
        learned: Names in the checkpoint; empty if it has none.
        name: What messages call the checkpoint.

    Raises:
        ValueError: If the checkpoint names fewer classes than the model has.
    """
    head = class_head(model)
    count = head[1] if head else None
    if learned and len(learned) < (count or 0):
        raise ValueError(
            f"{name} names {len(learned)} classes, but its model tells {count} apart: correct `dataset_meta` in its"
            " `meta`, or take that entry out."
        )
    if learned:
        return tuple(learned)
    for part in ("test", "val", "train"):
        dataset = (cfg.get(f"{part}_dataloader") or {}).get("dataset") or {}
        for names in ((dataset.get("metainfo") or {}).get("classes"), dataset.get("classes")):
            if isinstance(names, list | tuple) and count in (None, len(names)):
                return tuple(map(str, names))
    return tuple(f"class {i}" for i in range(count or 1))
