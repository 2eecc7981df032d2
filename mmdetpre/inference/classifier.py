"""A classifier of mmpretrain with its weights, as a function from images to probabilities."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmdetpre.checkpoints.dataset_meta import learned_classes
from mmdetpre.inference.build_model import build_model
from mmdetpre.inference.load_weights import class_names, load_weights
from mmdetpre.transfer.checkpoint_reader import read_checkpoint
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
        """Probabilities (B, classes) of normalized images (B, 3, H, W), after the head's softmax or sigmoid."""
        return torch.stack([sample.pred_score for sample in self.model(images, mode="predict")])

    def normalized(self, color: Sequence[float]) -> Tensor:
        """A color, red, green and blue in gray levels, as this network sees it: (3,)."""
        ready = self.preprocessing
        values = torch.tensor(list(color), dtype=torch.float32)
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
    head = getattr(model, "head", None)
    if head is None or not hasattr(head, "predict") or not hasattr(model, "extract_feat"):
        raise ValueError(
            f"{config} is the config of a {built.scope}.{type(model).__name__}, which gives no class probabilities:"
            " give one of an ImageClassifier of mmpretrain."
        )
    read = read_checkpoint(checkpoint)
    load_weights(model, read.tensors, os.fspath(checkpoint))
    classes = class_names(built.cfg, model, learned_classes({"meta": read.meta}, read.source), read.source)
    return Classifier(model.to(device), classes, built.preprocessing, torch.device(device))
