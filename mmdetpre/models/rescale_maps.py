"""Makes the maps of a pyramid of those of a backbone whose stages have one stride."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmpretrain.models.utils import LayerNorm2d
from torch import Tensor, nn

from mmdetpre.registry import MODELS


@MODELS.register_module()
class RescaleMaps(BaseModule):
    """Scales each map by a power of two: transposed convolutions enlarge it, pooling makes it smaller.

    Args:
        channels: Of all maps.
        scales: Of each map: 4, 2, 1, 0.5 or 0.25. From maps of stride 16, 4 makes one of stride 4.
        init_cfg: Initialization of the weights, as mmengine reads it.

    Raises:
        ValueError: If a scale is another one.

    Source: the simple pyramid of "Exploring Plain Vision Transformer Backbones for Object Detection" (2022), each map
    from a layer of its own, as in mmsegmentation's ``Feature2Pyramid``.

    Example:
        >>> import torch
        >>> [tuple(one.shape) for one in RescaleMaps(8, [2, 0.5])([torch.zeros(1, 8, 4, 4)] * 2)]
        [(1, 8, 8, 8), (1, 8, 2, 2)]
    """

    def __init__(self, channels: int, scales: Sequence[float], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.parts = nn.ModuleList(self._part(channels, scale) for scale in scales)

    @staticmethod
    def _part(channels: int, scale: float) -> nn.Module:
        def double() -> nn.Module:
            return nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)

        if scale == 4:
            return nn.Sequential(double(), LayerNorm2d(channels), nn.GELU(), double())
        if scale == 2:
            return double()
        if scale == 1:
            return nn.Identity()
        if scale in (0.5, 0.25):
            return nn.MaxPool2d(kernel_size=round(1 / scale))
        raise ValueError(f"RescaleMaps scales by 4, 2, 1, 0.5 or 0.25, not by {scale}.")

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (N, C, H, W) to as many (N, C, scale * H, scale * W)."""
        return tuple(part(one) for part, one in zip(self.parts, maps, strict=True))
