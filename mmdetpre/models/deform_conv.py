"""Deformable convolution for batches of any size, also in bfloat16 and with channels last."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmcv.ops import DeformConv2dPack, deform_conv2d
from torch import Tensor

from mmdetpre.operators.deform_conv import sampled_deform_conv2d
from mmdetpre.registry import MODELS


@MODELS.register_module("DCN")
class DeformConv(DeformConv2dPack):
    """mmcv's ``DCN``, whose operator knows float16 but not bfloat16: such maps are sampled and convolved in float32.

    The operator also refuses ``torch.channels_last``: maps and weights are copied. And it works off a batch in portions
    of 32 maps (``im2col_step``) and stops if they do not come out even: here the last portion may be smaller, so that
    the last batch of an epoch may have any size. Maps smaller than the kernel, which it refuses too, are filled up. On
    a CPU it is computed by `sampled_deform_conv2d`, which is faster. Parameters, their names and, to the last digits,
    all other results are those of ``DCN``. So ``AmpOptimWrapper`` with ``dtype="bfloat16"`` trains deformable
    backbones, and a classifier any number of images. Use it as ``dcn=dict(type="mmdetpre.DCN", deform_groups=4)``.

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
        x, offset = x.contiguous(), self.adjusted(offset.contiguous(), x.shape[2], x.shape[3])
        portion = max(len(x), 1) if len(x) % self.im2col_step == 0 else self.im2col_step
        parts = [self._convolved(*part) for part in zip(x.split(portion), offset.split(portion), strict=True)]
        return (torch.cat(parts) if len(parts) > 1 else parts[0]).to(kind)

    def _convolved(self, x: Tensor, offset: Tensor) -> Tensor:
        if x.device.type == "cpu" and self.groups == 1 and len(x):
            form = self.stride, self.padding, self.dilation
            return sampled_deform_conv2d(x, offset, self.weight.to(x.dtype), *form, self.deform_groups)
        height, width = offset.shape[2:]
        down, right = (max(side - own, 0) for side, own in zip(self.kernel_size, x.shape[2:], strict=True))
        if down or right:  # the operator wants a map as large as its kernel; beyond the map it reads 0 in any case
            x = F.pad(x, (0, right, 0, down))
            rows, columns = self.conv_offset(x[:1]).shape[2:]
            offset = F.pad(offset, (0, columns - width, 0, rows - height))
        return deform_conv2d(
            x,
            offset,
            self.weight.contiguous(),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.deform_groups,
            False,
            self.im2col_step,
        )[:, :, :height, :width]

    def adjusted(self, offset: Tensor, height: int, width: int) -> Tensor:
        """The offsets to sample a map of this size with: those that the layer predicts.

        Args:
            offset: (N, 2 * groups * k * k, H', W') predicted offsets, pixels of the map.
            height: Height of the map.
            width: Width of the map.
        """
        return offset
