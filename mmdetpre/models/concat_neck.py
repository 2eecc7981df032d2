"""Joins feature maps of equal stride along their channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmdetpre.registry import MODELS


@MODELS.register_module()
class ConcatNeck(BaseModule):
    """Concatenates the maps of a backbone whose last stages share one stride (C4 and dilated C5 of SNIPER).

    Args:
        in_channels: Channels of each map, for example ``[1024, 2048]``. They are checked at every forward.
        init_cfg: Initialization of the weights, as mmengine reads it.

    Example:
        >>> neck = ConcatNeck([2, 3])
        >>> neck((torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 8)))[0].shape
        torch.Size([1, 5, 8, 8])
    """

    def __init__(self, in_channels: Sequence[int], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.in_channels = list(in_channels)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor]:
        """Joins maps (N, C_i, H, W) to one map (N, sum C_i, H, W).

        Raises:
            ValueError: If number, channels or size of the maps are not what the neck was made for.
        """
        shapes = [tuple(m.shape) for m in maps]
        if [s[1] for s in shapes] != self.in_channels:
            raise ValueError(
                f"ConcatNeck was given maps with {[s[1] for s in shapes]} channels but is configured for"
                f" {self.in_channels}: set neck.in_channels (and the heads' in_channels to their sum)."
            )
        if len({s[2:] for s in shapes}) != 1:
            raise ValueError(
                f"ConcatNeck joins maps of one size, but got {[s[2:] for s in shapes]}: keep the last stage at stride"
                " 1, dilated (backbone.strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))."
            )
        return (torch.cat(tuple(maps), dim=1),)
