"""Loads one file into a backbone of mmdet, mmsegmentation and mmpretrain and compares what they compute."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from mmdetpre.transfer.checkpoint_reader import Checkpoint, read_checkpoint
from mmdetpre.transfer.compare_weights import described, form_of
from mmdetpre.transfer.digest import weights_digest
from mmdetpre.transfer.families import family_of_form
from mmdetpre.transfer.families.family import Form
from mmdetpre.transfer.key_map import KeyMap, map_names
from mmdetpre.transfer.load_backbone import load_backbone
from mmdetpre.transfer.preprocessing import IMAGENET, of_checkpoint
from mmdetpre.transfer.resnet_form import ResNetForm, backbone_config
from mmdetpre.transfer.toolboxes import TOOLBOXES, build_in_toolbox
from mmdetpre.utils.plain_config import PlainConfig
from mmdetpre.utils.tables import text_table


@dataclass(frozen=True)
class Arrival:
    """How a file arrived in one toolbox.

    Attributes:
        toolbox: ``mmdet``, ``mmsegmentation`` or ``mmpretrain``.
        type: Type of the backbone that was built there.
        verdict: Of its load report.
        digest: Of the weights that it holds after the image, of those that all toolboxes have taken.
        differences: Largest absolute difference of each output from that of the first toolbox.
        shapes: Of the outputs; which function was compared.
        taken: Number of tensors that came from the file.
    """

    toolbox: str
    type: str
    verdict: str
    digest: str
    differences: tuple[float, ...]
    shapes: tuple[tuple[int, ...], ...] = ()
    taken: int = 0


def verify_transfer(
    checkpoint: str | os.PathLike[str],
    prefix: str | None = None,
    entry: str | None = None,
    image: Tensor | None = None,
    *,
    backbone: PlainConfig | None = None,
) -> list[Arrival]:
    """Build a backbone for the file in each toolbox, load the file into it, and run one image through it.

    Without ``backbone`` the form is read from names and shapes, and each toolbox builds its own backbone of the family,
    where it has one. What leaves no trace in weights is as usual: strides and dilations, 64 channels per head of a ViT,
    the padding of OpenMMLab's EfficientNet. The toolboxes' defaults differ (``out_indices``, ``norm_eval``,
    ``stem_channels``), so that every argument is given.

    Args:
        checkpoint: Path or address.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`.
        image: (1, 3, height, width), normalized; by default noise, always the same, of 128 x 160 pixels, of a ViT the
            size that its positions are for.
        backbone: Config of a backbone that each toolbox builds; needed for one of no known family.

    Returns:
        One entry per toolbox, mmdet first.

    Raises:
        BackboneNotLoaded: If a toolbox's backbone does not take the file.
        CheckpointError, KeyMapError: If the file cannot be read.
        ValueError: If no toolbox builds a backbone of this form by itself.
    """
    read = read_checkpoint(checkpoint, entry)
    modules = dict(_modules(read, prefix, backbone))
    names = map_names(read.tensors, prefix, map_names(next(iter(modules.values())).state_dict(), prefix="").names)
    if image is None:
        image = torch.randn(
            1, 3, *_image_size(form_of(names, read.tensors)), generator=torch.Generator().manual_seed(0)
        )
    loaded, outputs, maps = {}, {}, {}
    for toolbox, module in modules.items():
        loaded[toolbox] = load_backbone(module, read, names.prefix, check_preprocessing=False)
        module.eval()
        with torch.no_grad():
            outputs[toolbox] = list(output_tensors(module(image)))
        maps[toolbox] = map_names(module.state_dict(), prefix="")
    common = set.intersection(*(_taken(maps[toolbox], loaded[toolbox].matched) for toolbox in modules))
    first = next(iter(outputs.values()))
    arrivals = []
    for toolbox, module in modules.items():
        # Taken from the module that computed: an image may leave a changed value unseen behind a ReLU.
        tensors = maps[toolbox].read(module.state_dict())
        differences = tuple(float((a - b).abs().max()) for a, b in zip(outputs[toolbox], first, strict=True))
        arrivals.append(
            Arrival(
                toolbox,
                _type(module),
                loaded[toolbox].verdict,
                weights_digest({name: tensors[name] for name in common}),
                differences,
                tuple(tuple(output.shape) for output in outputs[toolbox]),
                len(loaded[toolbox].matched),
            )
        )
    return arrivals


def _modules(read: Checkpoint, prefix: str | None, backbone: PlainConfig | None) -> Iterator[tuple[str, nn.Module]]:
    names = map_names(read.tensors, prefix) if backbone is None else None
    configs = toolbox_backbones(read, names) if names else dict.fromkeys(TOOLBOXES, backbone or {})
    if names and not configs:
        raise ValueError(
            f"{read.source} holds {described(names, read.tensors)}, which no toolbox builds by its form alone: name a"
            " config with such a backbone, --into CONFIG."
        )
    for toolbox, package in TOOLBOXES.items():
        yield toolbox, build_in_toolbox(package, dict(configs[toolbox]))


def toolbox_backbones(read: Checkpoint, names: KeyMap) -> dict[str, PlainConfig]:
    """Config of the backbone of each toolbox, by the form of a file; empty where none is built by its form alone.

    Args:
        read: The file.
        names: How its names read.
    """
    form = form_of(names, read.tensors)
    if isinstance(form, ResNetForm) and form.depth is not None:
        known = of_checkpoint(read, names.naming)
        config = backbone_config(form, style=(known.style if known else None) or "pytorch")
        kinds = {toolbox: f"{package}.ResNet" for toolbox, package in TOOLBOXES.items()}
        if "dcn" in config:  # mmpretrain's has no deformable convolutions
            kinds["mmpretrain"] = "mmdet.ResNet"
        if form.pre_activation:
            kinds = dict.fromkeys(kinds, "mmdetpre.PreActResNet")
        return {toolbox: {**config, "type": kind} for toolbox, kind in kinds.items()}
    return family_of_form(form).configs(form) if form else {}


def _image_size(form: ResNetForm | Form | None) -> tuple[int, int]:
    return (form["image size"],) * 2 if isinstance(form, Form) and form.family == "ViT" else (128, 160)


def output_tensors(outputs: Any) -> Iterator[Tensor]:
    """The tensors that a backbone gives: one, several, or maps with tokens beside them.

    Args:
        outputs: Of ``forward``.
    """
    for output in outputs if isinstance(outputs, list | tuple) else [outputs]:
        yield from output_tensors(output) if isinstance(output, list | tuple) else [output]


def _taken(names: KeyMap, matched: list[str]) -> set[str]:
    taken = set(matched)
    return {canonical for canonical, own in names.names.items() if own in taken}


def _type(module: nn.Module) -> str:
    return f"{type(module).__module__.partition('.')[0]}.{type(module).__name__}"


def all_identical(arrivals: Sequence[Arrival]) -> bool:
    """Whether every toolbox holds the same weights and computes the same numbers, to the bit."""
    return len({arrival.digest for arrival in arrivals}) == 1 and all(not any(a.differences) for a in arrivals)


def arrivals_table(arrivals: Sequence[Arrival]) -> str:
    """The result as text: per toolbox what was built, and how far its outputs are from the first one's."""
    head, rows = arrival_rows(arrivals)
    shapes = ", ".join("x".join(map(str, shape)) for shape in arrivals[0].shapes)
    return f"{text_table(head, rows, left=range(6))}\noutputs of forward(): {shapes}"


def arrival_rows(arrivals: Sequence[Arrival]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the table, in words."""
    rows = [
        [a.toolbox, a.type, a.verdict, str(a.taken), a.digest[:12], "  ".join(f"{value:g}" for value in a.differences)]
        for a in arrivals
    ]
    return ["toolbox", "backbone", "verdict", "tensors", "digest", "largest difference of each output"], rows


def image_tensor(path: str | os.PathLike[str]) -> Tensor:
    """An image file as (1, 3, height, width), RGB, normalized with ImageNet's mean and deviation.

    Raises:
        OSError: If it cannot be read as an image.
    """
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET.mean, IMAGENET.std))
    with Image.open(path) as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32))
    return ((pixels.permute(2, 0, 1) - mean) / std)[None].contiguous()
