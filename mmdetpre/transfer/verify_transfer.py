"""Loads one file into the ResNets of mmdet, mmsegmentation and mmpretrain and compares what they compute."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings
from PIL import Image
from torch import Tensor, nn

from mmdetpre.transfer.checkpoint_reader import read_checkpoint
from mmdetpre.transfer.compare_weights import form_of
from mmdetpre.transfer.key_map import map_names
from mmdetpre.transfer.load_backbone import load_backbone, loaded_digest
from mmdetpre.transfer.preprocessing import IMAGENET, of_checkpoint
from mmdetpre.transfer.resnet_form import ResNetForm, deformable_config

TOOLBOXES = {"mmdet": "mmdet", "mmsegmentation": "mmseg", "mmpretrain": "mmpretrain"}


@dataclass(frozen=True)
class Arrival:
    """How a file arrived in one toolbox.

    Attributes:
        toolbox: ``mmdet``, ``mmsegmentation`` or ``mmpretrain``.
        type: Type of the backbone that was built there.
        verdict: Of its load report.
        digest: Of the weights that it holds after the image.
        differences: Greatest absolute difference of the outputs of stages 1 to 4 from those of the first toolbox.
    """

    toolbox: str
    type: str
    verdict: str
    digest: str
    differences: tuple[float, ...]


def verify_transfer(
    checkpoint: str | os.PathLike[str], prefix: str | None = None, entry: str | None = None, image: Tensor | None = None
) -> list[Arrival]:
    """Build a ResNet of the file's form in each toolbox, load the file into it, and run one image through it.

    The form is read from names and shapes; strides and dilations leave no trace there and are ResNet's usual. The
    toolboxes' defaults differ (``out_indices``, ``norm_eval``, ``stem_channels``), so that every argument is given.
    mmpretrain's ResNet has no deformable convolutions: for a file with them, mmpretrain builds ``mmdet.ResNet``. For a
    pre-activation ResNet all three build ``mmdetpre.PreActResNet``.

    Args:
        checkpoint: Path or address.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`.
        image: (1, 3, height, width), normalised; by default noise of 128 x 160 pixels, always the same.

    Returns:
        One entry per toolbox, mmdet first.

    Raises:
        BackboneNotLoaded: If a toolbox's ResNet does not take the file.
        CheckpointError, KeyMapError: If the file cannot be read.
        ValueError: If it holds no ResNet of a usual depth.
    """
    read = read_checkpoint(checkpoint, entry)
    names = map_names(read.tensors, prefix)
    form = form_of(names, read.tensors)
    if not isinstance(form, ResNetForm) or form.depth is None:
        raise ValueError(
            f"{read.source} holds {form or 'no ResNet'}: only ResNet-18, 34, 50, 101 and 152 are compared."
        )
    known = of_checkpoint(read, names.naming)
    config = backbone_config(form, style=(known.style if known else None) or "pytorch")
    if image is None:
        image = torch.randn(1, 3, 128, 160, generator=torch.Generator().manual_seed(0))
    arrivals: list[Arrival] = []
    first: list[Tensor] = []
    for toolbox, package in TOOLBOXES.items():
        kind = f"{'mmdet' if package == 'mmpretrain' and 'dcn' in config else package}.ResNet"
        kind = "mmdetpre.PreActResNet" if form.pre_activation else kind
        backbone = build_in_toolbox(package, {**config, "type": kind})
        report = load_backbone(backbone, read, names.prefix, check_preprocessing=False)
        backbone.eval()
        with torch.no_grad():
            outputs = list(backbone(image))
        first = first or outputs
        differences = tuple(float((a - b).abs().max()) for a, b in zip(outputs, first, strict=True))
        # Taken from the module that computed: an image may leave a changed value unseen behind a ReLU.
        digest = loaded_digest(backbone, report)
        arrivals.append(Arrival(toolbox, kind, report.verdict, digest, differences))
    return arrivals


def backbone_config(form: ResNetForm, style: str = "pytorch") -> dict[str, Any]:
    """Arguments of a ResNet of some form, without ``type``, good for all three toolboxes but for ``dcn``."""
    config: dict[str, Any] = dict(
        depth=form.depth,
        base_channels=form.base_channels,
        stem_channels=form.stem_channels,
        out_indices=(0, 1, 2, 3),
        norm_eval=False,
        init_cfg=None,
    )
    if not form.pre_activation:
        config |= dict(deep_stem=form.deep_stem, avg_down=form.pooled_shortcut, style=style)
    if any(form.offsets):
        config["dcn"] = deformable_config(next(count for count in form.offsets if count))
        config["stage_with_dcn"] = tuple(bool(count) for count in form.offsets)
    return config


def build_in_toolbox(package: str, config: dict[str, Any]) -> nn.Module:
    """Build a model as the toolbox would: through its registry, in its scope."""
    registry = import_modules_from_strings(f"{package}.registry").MODELS
    with DefaultScope.overwrite_default_scope(package):
        return registry.build(config)


def all_identical(arrivals: list[Arrival]) -> bool:
    """Whether every toolbox holds the same weights and computes the same numbers, to the bit."""
    return len({arrival.digest for arrival in arrivals}) == 1 and all(not any(a.differences) for a in arrivals)


def arrivals_table(arrivals: list[Arrival]) -> str:
    """The result as text."""
    head = "toolbox".ljust(16) + "backbone".ljust(19) + "verdict".ljust(10) + "digest".ljust(14)
    lines = [head + "greatest difference in layer1 .. layer4"]
    for arrival in arrivals:
        line = arrival.toolbox.ljust(16) + arrival.type.ljust(19) + arrival.verdict.ljust(10)
        lines.append(line + arrival.digest[:12].ljust(14) + "  ".join(f"{value:g}" for value in arrival.differences))
    return "\n".join(lines)


def image_tensor(path: str | os.PathLike[str]) -> Tensor:
    """An image file as (1, 3, height, width), RGB, normalised with ImageNet's mean and deviation.

    Raises:
        OSError: If it cannot be read as an image.
    """
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET.mean, IMAGENET.std))
    with Image.open(path) as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32))
    return ((pixels.permute(2, 0, 1) - mean) / std)[None].contiguous()
