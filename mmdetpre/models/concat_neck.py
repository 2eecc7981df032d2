"""Joins feature maps along their channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.functional import interpolate

from mmdetpre.registry import MODELS


@MODELS.register_module()
class ConcatNeck(BaseModule):
    """Concatenates the maps of a backbone whose last stages share one stride (C4 and dilated C5 of SNIPER).

    A backbone that cannot be dilated, such as Swin, computes what it was pre-trained to compute, and ``resize`` brings
    its smaller maps to the size of the first by bilinear interpolation.

    Args:
        in_channels: Channels of each map, for example ``[1024, 2048]``. They are checked at every forward.
        init_cfg: Initialization of the weights, as mmengine reads it.
        resize: Resize all joined maps to the size of the first of them.
        passed: Number of maps at the front that are passed on as they are, before the joined one.

    Example:
        >>> neck = ConcatNeck([2, 3])
        >>> neck((torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 8)))[0].shape
        torch.Size([1, 5, 8, 8])
    """

    def __init__(
        self, in_channels: Sequence[int], init_cfg: dict | None = None, resize: bool = False, passed: int = 0
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = list(in_channels)
        self.resize = resize
        self.passed = passed

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Joins maps (N, C_i, H, W) to one map (N, sum C_i, H, W), behind those that are passed on.

        Raises:
            ValueError: If number, channels or size of the maps are not what the neck was made for.
        """
        shapes = [tuple(m.shape) for m in maps]
        if [s[1] for s in shapes] != self.in_channels:
            raise ValueError(
                f"ConcatNeck was given maps with {[s[1] for s in shapes]} channels but is configured for"
                f" {self.in_channels}: set neck.in_channels (and the heads' in_channels to their sum)."
            )
        passed, joined = tuple(maps[: self.passed]), tuple(maps[self.passed :])
        if self.resize:
            size = joined[0].shape[2:]
            joined = tuple(
                one if one.shape[2:] == size else interpolate(one, size, mode="bilinear", align_corners=False)
                for one in joined
            )
        elif len({s[2:] for s in shapes[self.passed :]}) != 1:
            raise ValueError(
                f"ConcatNeck joins maps of one size, but got {[s[2:] for s in shapes[self.passed :]]}: keep the last"
                " stage at stride 1, dilated (backbone.strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)), or set"
                " neck.resize=True."
            )
        return (*passed, torch.cat(joined, dim=1))
