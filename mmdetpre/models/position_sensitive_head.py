"""Super-class scores and boxes of regions from position-sensitive maps, as in R-FCN."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import ps_roi_align

from mmdetpre.registry import MODELS

_START = dict(type="Normal", layer="Conv2d", std=0.01)


@MODELS.register_module()
class PositionSensitiveHead(BaseModule):
    """Scores ``num_classes`` + 1 classes and refines boxes by voting of ``bins`` x ``bins`` parts of a region.

    A 1x1 convolution without activation projects the map; 1x1 convolutions give ``bins**2`` score maps per class and
    ``bins**2`` maps per box delta. Channel ``(c * bins + row) * bins + column`` is read in bin (row, column) of output
    c, and the output is the mean over the bins. Only the pooling depends on the number of regions, so it costs next to
    nothing per region.

    Args:
        in_channels: Channels of the incoming map.
        num_classes: Super-classes K, without the background, which is output K.
        feat_channels: Channels after the projection.
        bins: Bins per side.
        sampling_ratio: Sampling points per bin and side.
        featmap_stride: Pixels of the image per pixel of the map.
        init_cfg: Initialization of the weights, as mmengine reads it.

    Source: section 4 of the paper and R-FCN-3000 (decoupled objectness).
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        feat_channels: int = 1024,
        bins: int = 7,
        sampling_ratio: int = 4,
        featmap_stride: int = 16,
        init_cfg: dict | None = _START,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.bins, self.sampling_ratio, self.featmap_stride = bins, sampling_ratio, featmap_stride
        self.conv_proj = nn.Conv2d(in_channels, feat_channels, 1)
        self.conv_cls = nn.Conv2d(feat_channels, (num_classes + 1) * bins**2, 1)
        self.conv_reg = nn.Conv2d(feat_channels, 4 * bins**2, 1)

    def forward(self, x: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (R, K + 1) and class-agnostic box deltas (R, 4), both float32.

        Args:
            x: Map (N, in_channels, H, W).
            rois: (R, 5) index of the image and xyxy in its pixels.
        """
        projected = self.conv_proj(x)
        return self.pool(self.conv_cls(projected), rois), self.pool(self.conv_reg(projected), rois)

    def pool(self, maps: Tensor, rois: Tensor) -> Tensor:
        """Mean (R, C) over the bins of position-sensitive maps (N, C * bins**2, H, W), in float32."""
        votes = ps_roi_align(
            maps.float(), rois.float(), self.bins, 1 / self.featmap_stride, sampling_ratio=self.sampling_ratio
        )
        return torch.mean(votes, dim=(2, 3))
