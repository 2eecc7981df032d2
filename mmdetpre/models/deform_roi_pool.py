"""Deformable RoI pooling: every bin of a region is read at a place that the region's content decides."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmcv import ops
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn

from mmdetpre.registry import MODELS

MAX_ELEMENTS = 2**24
"""Values that grid sampling holds at a time: 64 MiB in float32, whatever the number of regions."""


def deform_roi_pool(
    features: Tensor,
    rois: Tensor,
    offsets: Tensor,
    spatial_scale: float,
    sampling_ratio: int = 4,
    gamma: float = 0.1,
) -> Tensor:
    """Average of ``sampling_ratio`` x ``sampling_ratio`` bilinear samples per bin, each bin moved by its offset.

    With ``x1, y1, w, h`` of a region in pixels of the map (``rois * spatial_scale``) and P x Q bins, sample (i, j) of
    bin (p, q) lies at ``x = x1 - 0.5 + (q + (j + 0.5) / sampling_ratio) * w / Q + gamma * w * offsets[0, p, q]``, and
    ``y`` likewise with p, i, h and ``offsets[1]``. The center of the first pixel of the map is (0, 0). Samples up to
    one pixel outside read the nearest pixel, those farther out count as 0. Zero offsets give RoIAlign (aligned).

    A GPU runs mmcv's operator. mmcv has none for the CPU: there the map is read by ``grid_sample``, in portions of
    ``MAX_ELEMENTS`` values; 300 regions of 49 bins on 256 channels cost 60 million bilinear reads per chip.

    Args:
        features: (N, C, H, W) maps.
        rois: (R, 5) index of the map, then xyxy in image pixels, half-open. No gradient flows into them.
        offsets: (R, 2, P, Q), x first, in units of ``gamma`` times the region's side. P x Q is the size of the result.
        spatial_scale: Map over image pixels, 1 / stride.
        sampling_ratio: Samples per bin and axis.
        gamma: How far an offset of 1 moves a bin, as a fraction of the region's side.

    Returns:
        (R, C, P, Q), differentiable in features and offsets.

    Raises:
        ValueError: If the offsets do not belong to the regions.

    Source: section 3.1 of "An Analysis of Pre-Training on Object Detection" (2019); two-step pooling as in SNIPER.

    Example:
        >>> row = torch.arange(8.0).expand(1, 1, 8, 8)
        >>> roi, move = torch.tensor([[0.0, 2.0, 2.0, 4.0, 4.0]]), torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
        >>> deform_roi_pool(row, roi, 0 * move, 1.0).item(), round(deform_roi_pool(row, roi, move, 1.0).item(), 4)
        (2.5, 2.7)
    """
    if offsets.ndim != 4 or offsets.shape[:2] != (len(rois), 2):
        raise ValueError(
            f"offsets have shape {tuple(offsets.shape)}, but {len(rois)} regions need ({len(rois)}, 2, P, Q):"
            " one (x, y) per bin."
        )
    if features.is_cuda:
        size = tuple(offsets.shape[2:])
        return ops.deform_roi_pool(features, rois, offsets, size, spatial_scale, sampling_ratio, gamma)
    return sampled_deform_roi_pool(features, rois, offsets, spatial_scale, sampling_ratio, gamma)


def sampled_deform_roi_pool(
    features: Tensor, rois: Tensor, offsets: Tensor, spatial_scale: float, sampling_ratio: int, gamma: float
) -> Tensor:
    """:func:`deform_roi_pool` by ``grid_sample``, on any device.

    Args:
        features: (N, C, H, W) map.
        rois: (R, 5) image index and xyxy in input pixels.
        offsets: (R, 2, P, Q) x first, in units of ``gamma`` times the region's side.
        spatial_scale: Map pixels per input pixel.
        sampling_ratio: Samples per bin and axis.
        gamma: How far an offset of 1 moves a bin, as a fraction of the region's side.
    """
    channels, (rows, columns) = features.shape[1], offsets.shape[2:]
    if not len(rois):
        return features.new_zeros(0, channels, rows, columns)
    portion = max(MAX_ELEMENTS // (channels * rows * columns * sampling_ratio**2), 1)
    maps = features.split(1)
    parts, order = [], []
    for image in rois[:, 0].int().unique().tolist():
        for chosen in torch.nonzero(rois[:, 0] == image)[:, 0].split(portion):
            x, y = sample_positions(rois[chosen], offsets[chosen], spatial_scale, sampling_ratio, gamma)
            parts.append(_mean_of_samples(maps[image], x, y))
            order.append(chosen)
    return torch.cat(parts)[torch.cat(order).argsort()]


def sample_positions(
    rois: Tensor, offsets: Tensor, spatial_scale: float, sampling_ratio: int, gamma: float
) -> tuple[Tensor, Tensor]:
    """Columns x and rows y, each (R, P, Q, sampling_ratio), in pixels of the map; samples are their outer product.

    Args:
        rois: (R, 5) image index and xyxy in input pixels.
        offsets: (R, 2, P, Q) x first, in units of ``gamma`` times the region's side.
        spatial_scale: Map pixels per input pixel.
        sampling_ratio: Samples per bin and axis.
        gamma: How far an offset of 1 moves a bin, as a fraction of the region's side.
    """
    corner, size = (rois[:, 1:3] * spatial_scale - 0.5), (rois[:, 3:] - rois[:, 1:3]) * spatial_scale
    result = []
    for axis in (0, 1):
        bins = offsets.shape[3 - axis]
        steps = (torch.arange(bins * sampling_ratio, device=rois.device) + 0.5).to(offsets) / sampling_ratio / bins
        steps = steps.view((1, bins, sampling_ratio) if axis == 0 else (bins, 1, sampling_ratio))
        moved = steps + gamma * offsets[:, axis, :, :, None]
        result.append(corner[:, axis, None, None, None] + size[:, axis, None, None, None] * moved)
    return result[0], result[1]


def _mean_of_samples(features: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Means (R, C, P, Q) of one map (1, C, H, W) over the samples of each bin."""
    count, rows, columns, samples = x.shape
    height, width = features.shape[2:]
    inside_x, inside_y = (x >= -1) & (x <= width), (y >= -1) & (y <= height)
    inside = (inside_y[..., :, None] & inside_x[..., None, :]).to(features)
    # grid_sample has the map's outer edges, not its pixel centers, at -1 and 1.
    grid_x, grid_y = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
    grid = torch.stack(torch.broadcast_tensors(grid_x[..., None, :], grid_y[..., :, None]), dim=-1)
    grid = grid.view(1, count * rows * columns, samples**2, 2)
    values = F.grid_sample(features, grid, padding_mode="border", align_corners=False)[0]
    means = (values * inside.view(1, -1, samples**2)).mean(dim=-1)
    return means.view(features.shape[1], count, rows, columns).transpose(0, 1)


@MODELS.register_module()
class TwoStepDeformRoIPool(nn.Module):
    """RoI layer that pools, decides the offsets from what it has pooled with one linear layer, and pools again.

    The linear layer starts at 0, that is, as RoIAlign, and runs in float32 also under mixed precision. SNIPER lets it
    learn at 0.01 of the learning rate: ``paramwise_cfg=dict(custom_keys={"offset_fc": dict(lr_mult=0.01)})``.

    Args:
        channels: Channels of the map.
        spatial_scale, sampling_ratio, gamma: See :func:`deform_roi_pool`.
        output_size: Bins per side.
    """

    def __init__(
        self, channels: int, spatial_scale: float, output_size: int = 7, sampling_ratio: int = 4, gamma: float = 0.1
    ) -> None:
        super().__init__()
        self.output_size = (output_size, output_size)
        self.spatial_scale, self.sampling_ratio, self.gamma = spatial_scale, sampling_ratio, gamma
        self.offset_fc = nn.Linear(channels * output_size**2, 2 * output_size**2)
        nn.init.zeros_(self.offset_fc.weight)
        nn.init.zeros_(self.offset_fc.bias)

    def forward(self, features: Tensor, rois: Tensor) -> Tensor:
        """Pools regions (R, 5) of maps (N, C, H, W) to (R, C, output_size, output_size)."""
        pooled = ops.roi_align(features, rois, self.output_size, self.spatial_scale, self.sampling_ratio, "avg", True)
        with torch.autocast(features.device.type, enabled=False):
            offsets = self.offset_fc(pooled.flatten(1).to(self.offset_fc.weight.dtype)).to(features)
        offsets = offsets.view(-1, 2, *self.output_size)
        return deform_roi_pool(features, rois, offsets, self.spatial_scale, self.sampling_ratio, self.gamma)


@MODELS.register_module()
class DeformRoIExtractor(SingleRoIExtractor):
    """mmdet's ``SingleRoIExtractor`` with :class:`TwoStepDeformRoIPool` as its layer, one per feature level.

    (mmdet's own takes only layers of mmcv by name.)

    Args:
        roi_layer: Arguments of :class:`TwoStepDeformRoIPool` but ``channels`` and ``spatial_scale``.
        out_channels: Channels of the maps.
        featmap_strides: Stride of each map.
    """

    def __init__(self, roi_layer: dict, out_channels: int, featmap_strides: list[int], **kwargs: Any) -> None:
        super().__init__(dict(roi_layer, channels=out_channels), out_channels, featmap_strides, **kwargs)

    def build_roi_layers(self, layer_cfg: dict, featmap_strides: list[int]) -> nn.ModuleList:
        """One layer per feature map; each learns offsets of its own."""
        return nn.ModuleList(TwoStepDeformRoIPool(spatial_scale=1 / s, **layer_cfg) for s in featmap_strides)
