"""Deformable convolution that also works in bfloat16 and with channels last."""

from __future__ import annotations

import torch
from mmcv.ops import DeformConv2dPack, deform_conv2d
from torch import Tensor

from mmdetpre.registry import MODELS


@MODELS.register_module("DCN")
class DeformConv(DeformConv2dPack):
    """mmcv's ``DCN``, whose operator knows float16 but not bfloat16: such maps are sampled and convolved in float32.

    The operator also refuses ``torch.channels_last``: maps and weights are copied. Parameters, their names and all
    other results are those of ``DCN``. So ``AmpOptimWrapper`` with ``dtype="bfloat16"`` trains deformable backbones.
    Use it as ``dcn=dict(type="mmdetpre.DCN", deform_groups=4)``.

    Example:
        >>> layer = DeformConv(2, 3, 3, padding=1)
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     layer(torch.zeros(1, 2, 8, 8)).dtype
        torch.bfloat16
    """

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), in the type of the offsets."""
        offset = self.conv_offset(x)
        kind = offset.dtype
        if kind == torch.bfloat16:
            x, offset = x.float(), offset.float()
        return deform_conv2d(
            x.contiguous(),
            self.adjusted(offset.contiguous(), x.shape[2], x.shape[3]),
            self.weight.contiguous(),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.deform_groups,
            False,
            self.im2col_step,
        ).to(kind)

    def adjusted(self, offset: Tensor, height: int, width: int) -> Tensor:
        """The offsets to sample a map of this size with: those that the layer predicts."""
        return offset
