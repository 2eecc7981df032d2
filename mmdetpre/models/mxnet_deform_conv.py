"""Deformable convolution that treats the border of the map as MXNet does, for weights that were trained there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmdetpre.models.deform_conv import DeformConv
from mmdetpre.models.instances import on_device
from mmdetpre.registry import MODELS

_OUTSIDE = -2.0  # where mmcv reads 0


@MODELS.register_module("MXNetDCN")
class MXNetDeformConv(DeformConv):
    """mmcv's ``DCN`` with MXNet's rule for samples near the border; parameters and their names are the same.

    Inside the map both interpolate alike. A sample up to one pixel left of or above the map is 0 in MXNet, and fades
    to 0 in mmcv; one up to a pixel right of or below its last pixels has their value in MXNet, and fades in mmcv. With
    dilation 2 on a 32 x 32 map this concerns the outer pixels of every output.

    Use it as ``dcn=dict(type="mmdetpre.MXNetDCN", deform_groups=4)``.

    Source: behavior of MXNet's ``contrib.DeformableConvolution``, compared with version 1.9.1.

    Example:
        >>> layer = MXNetDeformConv(2, 3, 3, padding=1)
        >>> layer(torch.zeros(1, 2, 8, 8)).shape
        torch.Size([1, 3, 8, 8])
    """

    def adjusted(self, offset: Tensor, height: int, width: int) -> Tensor:
        """Moves samples so that mmcv reads what MXNet would: onto the last pixels, or far outside.

        Args:
            offset: (N, 2 * groups * k * k, H', W') predicted offsets, pixels of the map.
            height: Height of the map.
            width: Width of the map.
        """
        n, channels, rows, columns = offset.shape
        rows_of_kernel, columns_of_kernel = self.kernel_size
        device = offset.device

        def start(count: int, axis: int) -> Tensor:
            return torch.arange(count, device=device) * self.stride[axis] - self.padding[axis]

        tap = torch.arange(rows_of_kernel * columns_of_kernel, device=device)
        y = start(rows, 0).view(1, -1, 1) + (tap // columns_of_kernel * self.dilation[0]).view(-1, 1, 1)
        x = start(columns, 1).view(1, 1, -1) + (tap % columns_of_kernel * self.dilation[1]).view(-1, 1, 1)
        base = torch.stack(torch.broadcast_tensors(y, x), dim=1).to(offset.dtype)  # (taps, 2, rows, columns)
        size = on_device(np.array([height, width]), device).to(offset).view(2, 1, 1)
        offset = offset.view(n, self.deform_groups, len(tap), 2, rows, columns)
        place = base + offset
        inside = ((place >= 0) & (place < size)).all(dim=3, keepdim=True)
        limited = torch.where(place > size - 1, size - 1 - base, offset)
        return torch.where(inside, limited, _OUTSIDE - base).view(n, channels, rows, columns)
