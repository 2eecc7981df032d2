"""Deformable convolution by functions of PyTorch, which on a CPU is faster than the kernels written for it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

Pair = tuple[int, int]


def sampled_deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    deform_groups: int = 1,
) -> Tensor:
    """Convolution whose samples are moved by offsets: ``grid_sample`` reads them, and one matrix product follows.

    Results are those of mmcv's and torchvision's kernels to the last digits; all gradients come from one pass. It keeps
    the samples of the whole batch, kh * kw * C * H' * W' numbers an image, until the backward pass.

    Args:
        x: (N, C, H, W) maps.
        offset: (N, 2 * deform_groups * kh * kw, H', W') moves in pixels: for each group and kernel position y, then x.
        weight: (C', C, kh, kw).
        stride, padding, dilation: Vertical and horizontal.
        deform_groups: Parts of the channels that are moved alike.

    Returns:
        (N, C', H', W') maps. Outside of ``x`` there are zeros.

    Source: J. Dai et al., "Deformable Convolutional Networks", 2017.

    Example:
        >>> x, weight = torch.ones(1, 2, 4, 4), torch.ones(3, 2, 3, 3)
        >>> sampled_deform_conv2d(x, torch.zeros(1, 18, 2, 2), weight)[0, 0]
        tensor([[18., 18.],
                [18., 18.]])
    """
    count, channels, height, width = x.shape
    kernel_h, kernel_w = weight.shape[2:]
    out_h, out_w = offset.shape[2:]
    moves = offset.reshape(count * deform_groups, kernel_h, kernel_w, 2, out_h, out_w)
    tap_y = (torch.arange(kernel_h, device=x.device) * dilation[0]).view(-1, 1, 1, 1)
    tap_x = (torch.arange(kernel_w, device=x.device) * dilation[1]).view(-1, 1, 1)
    place_y = (torch.arange(out_h, device=x.device) * stride[0] - padding[0]).view(-1, 1)
    place_x = torch.arange(out_w, device=x.device) * stride[1] - padding[1]
    y, x_ = moves[:, :, :, 0] + (place_y + tap_y), moves[:, :, :, 1] + (place_x + tap_x)
    # grid_sample counts from -1 to 1 over the pixels' outer edges.
    grid = torch.stack([(2 * x_ + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    grid = grid.reshape(count * deform_groups, kernel_h * kernel_w * out_h, out_w, 2)
    parts = x.reshape(count * deform_groups, channels // deform_groups, height, width)
    samples = grid_sample(parts, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    samples = samples.reshape(count, channels * kernel_h * kernel_w, out_h * out_w)
    return (weight.reshape(len(weight), -1) @ samples).reshape(count, -1, out_h, out_w)
