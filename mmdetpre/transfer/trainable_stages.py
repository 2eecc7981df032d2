"""Train the last stages of a backbone alone, or none: `trainable_stages` of a config.

Networks count their stages by their own names: four of a ResNet, RegNet, Swin or ConvNeXt; a quarter of the layers of a
ViT; of EfficientNet and MobileNetV2 the blocks of one stride, from 4 to 32.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

from torch import nn

from mmdetpre.transfer.load_report import stage_of, stage_order
from mmdetpre.utils.stages import STAGES, TRAINABLE

_BLOCKS = {
    ("blocks", 7): (0, 1, 2, 3, 3, 4, 4),
    ("blocks", 6): (0, 1, 2, 3, 3, 4),
    ("layer", 7): (0, 1, 2, 3, 3, 4, 4),
    ("layers", 7): (0, 0, 1, 2, 3, 4, 4),
}
"""What blocks of inverted residuals are called, and their number -> stage of each, 0 in front of the first: timm's, of
MobileNetV2, of OpenMMLab's EfficientNet, whose first and last "layers" are the stem and the convolution behind."""


def freeze_stages(backbone: nn.Module, trainable: int) -> None:
    """Freeze all but the last stages, in place: no gradients, and evaluation mode whatever ``train()`` says.

    So statistics of batch normalization stay, nothing is dropped in what is frozen, and an optimizer, which sees no
    gradient, decays nothing. What is frozen already stays so. Before a wrapper for several processes is built.

    Args:
        backbone: Of a family that `mmdetpre.transfer` knows.
        trainable: How many stages are trained; 0: none.

    Raises:
        ValueError: If the number is another one, or the stages of the network are not known.

    Example:
        >>> backbone = nn.Sequential()
        >>> for name in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        ...     backbone.add_module(name, nn.Sequential(nn.Linear(1, 1)))
        >>> freeze_stages(backbone, 1)
        >>> [name for name, one in backbone.named_parameters() if one.requires_grad]
        ['layer4.0.weight', 'layer4.0.bias']
    """
    if type(trainable) is not int or not 0 <= trainable <= STAGES:
        raise ValueError(
            f"{TRAINABLE} is {trainable!r}: give the number of last stages to train, 0 (none) to {STAGES}."
        )
    number = _numbering(backbone)
    for name, parameter in backbone.named_parameters():
        if number(name) <= STAGES - trainable:
            parameter.requires_grad_(False)
    frozen = tuple(name for name, _ in backbone.named_modules() if name and number(f"{name}.") <= STAGES - trainable)

    def train(self: nn.Module, mode: bool = True) -> nn.Module:
        type(self).train(self, mode and trainable > 0)
        for name in frozen:
            self.get_submodule(name).eval()
        return self

    vars(backbone)["train"] = MethodType(train, backbone)  # bound, so that a copy of the module gets one of its own
    backbone.train(backbone.training)


def _numbering(backbone: nn.Module) -> Callable[[str], int]:
    """Stage of a name of the backbone: 0 of the stem, 1 to 4."""
    names = [name for name, _ in backbone.named_parameters()]
    groups = sorted({stage_of(name) for name in names} - {"stem", "other"}, key=stage_order)
    word, count = groups[0].split(".")[0].rstrip("0123456789") if groups else "", len(groups)
    if (word, count) in _BLOCKS:
        stages: Any = _BLOCKS[word, count]
    elif 0 < count < STAGES:
        stages = range(STAGES - count + 1, STAGES + 1)  # the first ones of a network, whose last is the last here
    elif count == STAGES or (count and count % STAGES == 0 and any("attn" in name for name in names)):
        stages = [1 + i * STAGES // count for i in range(count)]
    else:
        raise ValueError(
            f"{TRAINABLE} does not know the stages of {type(backbone).__name__}, which has {count} numbered parts: "
            "freeze it by settings of its own in model.backbone."
        )
    known = {"stem": 0, **dict(zip(groups, stages, strict=True))}

    def number(name: str) -> int:
        stage = known.get(stage_of(name))
        if stage is None:  # norms of outputs, norm0 to norm3; else what stands behind the last stage
            head = name.split(".")[0]
            stage = int(head[4:]) + 1 if head[:4] == "norm" and head[4:].isdecimal() else STAGES
        return stage

    return number
