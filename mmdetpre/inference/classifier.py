"""A classifier of mmpretrain with its weights, as a function from images to probabilities."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmdetpre.checkpoints.fit import require_fit
from mmdetpre.inference.build_model import build_model
from mmdetpre.transfer.checkpoint_reader import Checkpoint, read_checkpoint
from mmdetpre.transfer.preprocessing import Preprocessing


@dataclass(frozen=True)
class Classifier:
    """A classifier on any backbone.

    Args:
        model: Of mmpretrain, in eval mode.
        classes: Names of its classes; ``class 0`` and so on where they are not known.
        preprocessing: How it wants its images.
        device: Where it is.
    """

    model: nn.Module
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    device: torch.device

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities (B, classes) of normalised images (B, 3, H, W), after the head's softmax or sigmoid."""
        return torch.stack([sample.pred_score for sample in self.model(images, mode="predict")])

    def normalised(self, colour: Sequence[float]) -> Tensor:
        """A colour, red, green and blue in grey levels, as this network sees it: (3,)."""
        ready = self.preprocessing
        values = torch.tensor(list(colour), dtype=torch.float32)
        values = values if ready.channel_order == "rgb" else values.flip(0)
        return (values - torch.tensor(ready.mean)) / torch.tensor(ready.std)


def open_classifier(
    config: str | Path,
    checkpoint: str | Path,
    *,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
) -> Classifier:
    """Build a classifier and load its checkpoint.

    Args:
        config: Config of mmpretrain.
        checkpoint: Path or address of the checkpoint of the whole classifier.
        device: Where it runs.
        options: Values of the config to override, by dotted key.

    Raises:
        FileNotFoundError: If config or checkpoint are missing.
        ValueError: If the config is of no classifier, or the checkpoint has another class count, belongs to another
            model, lacks weights or cannot be read.

    Example:
        >>> classifier = open_classifier("configs/cls/imagenet_cls_sample.py", "epoch_2.pth")  # doctest: +SKIP
        >>> classifier(images).sum(dim=1)  # doctest: +SKIP
        tensor([1., 1.])
    """
    built = build_model(config, device, options)
    model = built.model
    init_default_scope(built.scope)
    head = getattr(model, "head", None)
    if head is None or not hasattr(head, "predict") or not hasattr(model, "extract_feat"):
        raise ValueError(
            f"{config} is the config of a {built.scope}.{type(model).__name__}, which gives no class probabilities:"
            " give one of an ImageClassifier of mmpretrain."
        )
    read = read_checkpoint(checkpoint)
    require_fit(model, read.tensors, os.fspath(checkpoint))
    model.load_state_dict({key.removeprefix("module."): value for key, value in read.tensors.items()}, strict=False)
    model.to(device)
    return Classifier(model, _class_names(built.cfg, read, head), built.preprocessing, torch.device(device))


def _class_names(cfg: Config, checkpoint: Checkpoint, head: nn.Module) -> tuple[str, ...]:
    """From the checkpoint, else from the config, else numbers; as many as the head has outputs."""
    count = getattr(head, "num_classes", None)
    told: list[Any] = [(checkpoint.meta.get("dataset_meta") or {}).get("classes")]
    for part in ("test", "val", "train"):
        dataset = (cfg.get(f"{part}_dataloader") or {}).get("dataset") or {}
        told += [(dataset.get("metainfo") or {}).get("classes"), dataset.get("classes")]
    for names in told:
        if isinstance(names, list | tuple) and count in (None, len(names)):
            return tuple(map(str, names))
    return tuple(f"class {i}" for i in range(count or 0))
