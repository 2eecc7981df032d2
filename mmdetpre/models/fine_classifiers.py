"""Fine-grained classifiers of R-FCN-3000: which of thousands of classes an object belongs to, without background."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import roi_align, roi_pool

from mmdetpre.registry import MODELS

_START = dict(type="Normal", layer=["Conv2d", "Linear"], std=0.01)


@MODELS.register_module()
class PoolFirstClassifier(BaseModule):
    """Averages the map over each region, then two fully connected layers: the classifier of the paper.

    The cost is one vector of ``in_channels`` per region, whatever the number of classes.

    Args:
        in_channels: Channels of the incoming map (C4 and C5 joined; the paper names Conv5 alone).
        num_classes: Fine classes F.
        fc_channels: Width of the hidden layer, which is rectified.
        sampling_ratio: Sampling points per side of a region that are averaged.
        featmap_stride: Pixels of the image per pixel of the map.
        init_cfg: Initialization of the weights, as mmengine reads it.

    Source: section 4 of the paper.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        fc_channels: int = 1024,
        sampling_ratio: int = 14,
        featmap_stride: int = 16,
        init_cfg: dict | None = _START,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes, self.sampling_ratio, self.featmap_stride = num_classes, sampling_ratio, featmap_stride
        self.fc = nn.Linear(in_channels, fc_channels)
        self.fc_cls = nn.Linear(fc_channels, num_classes)

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """Logits (R, F) in float32 of regions (R, 5) on a map (N, in_channels, H, W)."""
        # One bin with all sampling points has the mean of 7x7 bins with fewer points each, at 1/49 of the memory.
        pooled = roi_align(
            x.float(), rois.float(), 1, 1 / self.featmap_stride, sampling_ratio=self.sampling_ratio, aligned=True
        )
        return self.fc_cls(F.relu(self.fc(pooled.flatten(1)))).float()


@MODELS.register_module()
class DenseClassifier(BaseModule):
    """Classifies every pixel of the map, then pools each region: the classifier of the original code.

    1x1 convolution, ReLU, 1x1 convolution to F maps; maximum in each of ``bins`` x ``bins`` bins, mean over the bins.
    Memory grows with F times the regions: 16 chips of 3,130 classes need about 2 GB for it in training.

    Args:
        in_channels: Channels of the incoming map.
        num_classes: Fine classes F.
        feat_channels: Channels of the hidden map.
        bins: Bins per side.
        featmap_stride: Pixels of the image per pixel of the map.
        rois_at_once: Bounds the memory at test time: regions that are pooled together.
        init_cfg: Initialization of the weights, as mmengine reads it.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        feat_channels: int = 1024,
        bins: int = 7,
        featmap_stride: int = 16,
        rois_at_once: int = 64,
        init_cfg: dict | None = _START,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes, self.bins, self.featmap_stride = num_classes, bins, featmap_stride
        self.rois_at_once = rois_at_once
        self.conv = nn.Conv2d(in_channels, feat_channels, 1)
        self.conv_cls = nn.Conv2d(feat_channels, num_classes, 1)

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """Logits (R, F) in float32 of regions (R, 5) on a map (N, in_channels, H, W)."""
        maps = self.conv_cls(F.relu(self.conv(x))).float()
        parts = rois.float().split(self.rois_at_once if not torch.is_grad_enabled() else max(len(rois), 1))
        return torch.cat([roi_pool(maps, p, self.bins, 1 / self.featmap_stride).mean(dim=(2, 3)) for p in parts])
