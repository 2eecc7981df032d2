"""The form a ResNet's weights were trained in: which stages had a stride, and how to run them so in another backbone.

No tensor tells stride or dilation, so weights of a classification network (stride 2 in conv5) also load into the
backbone of a detector (stride 1, dilation 2). There they compute something else, for the first 3x3 convolution, which
carried the stride, was never dilated. Training gets over that; frozen weights need the form they were trained in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import nn

from mmdetpre.transfer.checkpoint_reader import Checkpoint
from mmdetpre.utils.literal_config import literal_config

STRIDES, DILATIONS = (1, 2, 2, 2), (1, 1, 1, 1)


@dataclass(frozen=True)
class TrainedForm:
    """How the stages of a ResNet were run in training.

    Attributes:
        strides: Stride of each stage.
        dilations: Dilation of each.
        origin: Where this is known from.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    origin: str = ""

    def cut(self, other: TrainedForm) -> TrainedForm:
        """This form for as many stages as another one has."""
        stages = len(other.strides)
        return TrainedForm(self.strides[:stages], self.dilations[:stages], self.origin)

    def runs_as(self, other: TrainedForm) -> bool:
        """Whether strides and dilations are the same."""
        return (self.strides, self.dilations) == (other.strides, other.dilations)

    def __str__(self) -> str:
        told = f" ({self.origin})" if self.origin else ""
        return f"strides {_listed(self.strides)}, dilations {_listed(self.dilations)}{told}"


def form_of_backbone(backbone: Mapping[str, Any], origin: str = "") -> TrainedForm | None:
    """What the config of a backbone says; None if it is of no ResNet.

    Example:
        >>> print(form_of_backbone(dict(type="ResNet", depth=50, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))))
        strides 1 2 2 1, dilations 1 1 1 2
    """
    if "ResNe" not in str(backbone.get("type", "")):
        return None
    try:
        strides, dilations = (
            tuple(int(value) for value in backbone.get(key) or usual)
            for key, usual in (("strides", STRIDES), ("dilations", DILATIONS))
        )
    except (TypeError, ValueError):
        return None
    return TrainedForm(strides, dilations, origin)


def trained_form(checkpoint: Checkpoint) -> TrainedForm | None:
    """The form of a file's weights; None if nothing tells it.

    It is identified by the metadata of an exported backbone, or by the config inside a checkpoint of mmengine. A file
    that carries neither, and no offsets of deformable convolutions, is taken for an ordinary ResNet: the published
    weights of torchvision, timm and mmpretrain are of this form.
    """
    told = checkpoint.backbone_metadata
    if told.get("strides"):
        return form_of_backbone({"type": "ResNet", **told}, "its metadata")
    model = literal_config(checkpoint.config_text).get("model")
    if isinstance(model, Mapping) and isinstance(model.get("backbone"), Mapping):
        return form_of_backbone(model["backbone"], "its config")
    if told or any("offset" in name for name in checkpoint.tensors):
        return None
    return TrainedForm(STRIDES, DILATIONS, "by rule: neither metadata nor deformable convolutions")


def take_trained_form(backbone: nn.Module, form: TrainedForm | None, *, dense: bool = False) -> str:
    """Run a frozen backbone in the form that its weights were trained in, and say so in one line.

    Without a need nothing is changed: where the form is unknown, the same, or one with dilation. Parameters and their
    names stay.

    Args:
        backbone: A ResNet of mmdet, mmsegmentation or mmpretrain, deformable or not; its convolutions are changed.
        form: Of :func:`trained_form`.
        dense: Keep the strides of the backbone, and dilate what follows a stride that it lacks (a-trous): its map has
            more positions, and equals that of the trained form at every second, or fourth, of them.

    Returns:
        What was done, for the log.

    Raises:
        ValueError: If the backbone strides where the weights do not, or pools before its shortcuts.

    Source: section 4.1 of "An Analysis of Pre-Training on Object Detection" (2019), which compares frozen Conv5.

    Example:
        >>> take_trained_form(backbone, trained_form(read_checkpoint("resnet101.pth")))  # doctest: +SKIP
        'Stages as trained: strides 1 2 2 2, dilations 1 1 1 1 (by rule: ...), not strides 1 2 2 1, dilations 1 1 1 2.'
    """
    own = _own_form(backbone)
    if own is None:
        return "Stages as configured: the backbone is not a ResNet."
    if form is None:
        return f"Stages as configured, {own}: how the weights were trained is not known."
    form = form.cut(own)
    if own.runs_as(form):
        return f"Stages as configured, which is how the weights were trained: {form}."
    if set(form.dilations) != {1}:
        return f"Stages as configured, {own}, though the weights were trained with {form}."
    if getattr(backbone, "avg_down", False):
        raise ValueError(
            "A backbone that pools before its shortcuts (avg_down) cannot take another form: use --conv5 config."
        )
    rates = set_strides(backbone, form.strides, dense=dense)
    if not dense:
        return f"Stages as trained: {form}, not {own}."
    step = prod(form.strides) // prod(own.strides)
    return f"Stages a-trous, rates {_listed(rates)}: as trained with {form} at every position of {step} x {step}."


def stage_differences(backbone: nn.Module, form: TrainedForm | None) -> dict[str, str]:
    """What a file's form and that of a backbone are, if they differ; what either does not know counts as equal."""
    own = _own_form(backbone)
    if own is None or form is None or own.runs_as(form.cut(own)):
        return {}
    return {"file": str(form.cut(own)), "model": str(own)}


def set_strides(backbone: nn.Module, strides: Sequence[int], *, dense: bool = False) -> tuple[int, ...]:
    """Make a ResNet stride as a network without dilation does, or compute its map at more positions (``dense``).

    Args:
        backbone: As for :func:`take_trained_form`.
        strides: Stride of each stage of the network to follow.
        dense: Keep the backbone's own strides, and dilate instead of each stride that it lacks.

    Returns:
        The dilation behind each stage's stride.

    Raises:
        ValueError: If a stride of the backbone does not divide that of the network.
    """
    found: Any = backbone
    layers = [getattr(found, name) for name in found.res_layers]
    own = tuple(found.strides[: len(layers)]) if dense else tuple(strides[: len(layers)])
    rate, rates = 1, []
    for layer, ours, theirs in zip(layers, own, strides, strict=False):
        if theirs % ours:
            raise ValueError(
                f"The backbone has strides {_listed(own)}, the weights were trained with {_listed(strides)}."
            )
        before, rate = rate, rate * theirs // ours
        for number, block in enumerate(layer):
            _set_block(
                block,
                getattr(found, "style", "pytorch"),
                ours if number == 0 else 1,
                before if number == 0 else rate,
                rate,
            )
        rates.append(rate)
    found.strides, found.dilations = own, tuple(rates)
    return tuple(rates)


def _own_form(backbone: Any) -> TrainedForm | None:
    layers = getattr(backbone, "res_layers", ())
    strides, dilations = (tuple(getattr(backbone, name, ()))[: len(layers)] for name in ("strides", "dilations"))
    return TrainedForm(strides, dilations) if layers and len(strides) == len(dilations) == len(layers) else None


def _set_block(block: Any, style: str, stride: int, before: int, behind: int) -> None:
    """Stride of a block; dilation of its 3x3 convolutions up to the one that carries the stride, and behind it."""
    convolutions = [block.conv1, block.conv2, *([block.conv3] if hasattr(block, "conv3") else [])]
    carrier = 1 if len(convolutions) == 3 and style == "pytorch" else 0
    for number, convolution in enumerate(convolutions):
        for part in (convolution, getattr(convolution, "conv_offset", None)):
            if part is not None:
                _set_convolution(part, stride if number == carrier else 1, before if number <= carrier else behind)
    if block.downsample is not None:
        for part in block.downsample:
            if isinstance(part, nn.Conv2d):
                _set_convolution(part, stride, 1)


def _set_convolution(convolution: Any, stride: int, dilation: int) -> None:
    side = convolution.kernel_size[0]
    convolution.stride = (stride, stride)
    convolution.dilation = (dilation, dilation) if side > 1 else (1, 1)
    convolution.padding = (dilation * (side // 2),) * 2


def _listed(values: Sequence[int]) -> str:
    return " ".join(map(str, values))
