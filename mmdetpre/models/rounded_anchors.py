"""Anchors with the whole-pixel base sizes of the R-CNN family."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules import AnchorGenerator
from torch import Tensor

from mmdetpre.registry import TASK_UTILS


@TASK_UTILS.register_module()
class RoundedAnchorGenerator(AnchorGenerator):
    """mmdet's anchors, but the sides of each aspect ratio are rounded to whole pixels before they are scaled.

    For stride 16 the base sides (width, height) are (23, 12), (16, 16) and (11, 22) for height/width ratios 0.5, 1, 2.
    Anchors are centered in their cell; index = ``len(scales) * ratio index + scale index``.

    Example:
        >>> RoundedAnchorGenerator(strides=[16], ratios=[0.5, 1, 2], scales=[2, 4]).base_anchors[0][0]
        tensor([-15.,  -4.,  31.,  20.])
    """

    def __init__(self, *args: Any, center_offset: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, center_offset=center_offset, **kwargs)

    def gen_single_level_base_anchors(
        self, base_size: float, scales: Tensor, ratios: Tensor, center: tuple[float, float] | None = None
    ) -> Tensor:
        """Anchors (len(ratios) * len(scales), 4) of one cell, xyxy in pixels of the input.

        Args:
            base_size: Side of a cell, pixels.
            scales: (n,) factors of the side.
            ratios: (m,) height / width.
            center: Center of the anchors, x and y in pixels; None: as ``center_offset`` says.
        """
        widths = (base_size * ratios.double().rsqrt()).round()
        heights = (widths * ratios).round()
        sides = torch.stack([widths, heights], dim=1)[:, None] * scales[None, :, None]
        middle = torch.tensor(center or (self.center_offset * base_size,) * 2, dtype=torch.float64)
        half = sides.reshape(-1, 2) / 2
        return torch.cat([middle - half, middle + half], dim=1).float()

    def single_level_grid_priors(self, featmap_size: tuple[int, int], level_idx: int, **kwargs: Any) -> Tensor:
        """Anchors (A, 4) of a map; those of one cell stay on the device that first asked for them."""
        self.base_anchors[level_idx] = self.base_anchors[level_idx].to(kwargs["device"])
        return super().single_level_grid_priors(featmap_size, level_idx, **kwargs)
