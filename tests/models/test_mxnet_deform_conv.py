from __future__ import annotations

import math

import pytest
import torch
from mmcv.ops import DeformConv2dPack
from torch import Tensor, nn

from mmdetpre.models.mxnet_deform_conv import MXNetDeformConv


class Fixed(nn.Module):
    """Stands for the branch that predicts the offsets."""

    def __init__(self, offset: Tensor) -> None:
        super().__init__()
        self.offset = nn.Parameter(offset)

    def forward(self, x: Tensor) -> Tensor:
        return self.offset


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def read(plane: Tensor, y: float, x: float) -> float:
    """MXNet's rule: 0 outside of [0, size), and bilinear between the nearest pixels that exist."""
    height, width = plane.shape
    if not (0 <= y < height and 0 <= x < width):
        return 0.0
    top, left = math.floor(y), math.floor(x)
    rows, columns = (top, min(top + 1, height - 1)), (left, min(left + 1, width - 1))
    value = 0.0
    for row, share in zip(rows, (1 - (y - top), y - top), strict=True):
        for column, part in zip(columns, (1 - (x - left), x - left), strict=True):
            value += share * part * float(plane[row, column])
    return value


def test_against_mxnet_itself() -> None:
    """Output of contrib.DeformableConvolution of MXNet 1.9.1 for this map and these offsets."""
    layer = MXNetDeformConv(1, 1, 1)
    layer.weight.data.fill_(1)
    down = [[-0.5, 0.25, 0.0], [0.0, 0.5, -1.25], [0.5, 0.75, 1.0]]
    right = [[0.0, 0.0, 0.5], [-0.25, 0.5, 0.0], [0.25, -0.5, 0.0]]
    layer.conv_offset = Fixed(torch.tensor([down, right])[None])
    x = torch.arange(1.0, 10).view(1, 1, 3, 3)
    expected = [[0.0, 2.75, 3.0], [0.0, 7.0, 0.0], [7.25, 7.5, 0.0]]
    assert layer(x)[0, 0].tolist() == expected
    plain = DeformConv2dPack(1, 1, 1)
    plain.weight.data.fill_(1)
    plain.conv_offset = layer.conv_offset
    differs = [[True, False, True], [True, False, True], [True, True, False]]  # mmcv fades at the border
    assert (plain(x)[0, 0] != torch.tensor(expected)).tolist() == differs


@pytest.mark.parametrize(("stride", "dilation"), [(1, 2), (2, 1)])
def test_against_the_rule_written_out(stride: int, dilation: int) -> None:
    layer = MXNetDeformConv(4, 2, 3, stride=stride, padding=dilation, dilation=dilation, deform_groups=2).double()
    layer.weight.data.copy_(random(2, 4, 3, 3))
    x = random(1, 4, 6, 8, seed=1)
    height, width = (6 - 1) // stride + 1, (8 - 1) // stride + 1
    offset = random(1, 36, height, width, seed=2) * 1.5
    layer.conv_offset = Fixed(offset)
    found = layer(x)
    assert found.shape == (1, 2, height, width)
    for row in range(height):
        for column in range(width):
            samples = torch.zeros(4, 9, dtype=torch.float64)
            for channel in range(4):
                for tap in range(9):
                    at = (channel // 2 * 9 + tap) * 2
                    y = row * stride - dilation + tap // 3 * dilation + float(offset[0, at, row, column])
                    z = column * stride - dilation + tap % 3 * dilation + float(offset[0, at + 1, row, column])
                    samples[channel, tap] = read(x[0, channel], y, z)
            expected = (layer.weight.view(2, 4, 9) * samples).sum(dim=(1, 2))
            assert torch.allclose(found[0, :, row, column], expected, atol=1e-9), (row, column)


def test_without_offsets_it_is_a_convolution_and_its_weights_are_mmcvs() -> None:
    layer = MXNetDeformConv(4, 2, 3, padding=2, dilation=2, deform_groups=2)
    x = random(2, 4, 7, 9).float()
    expected = nn.functional.conv2d(x, layer.weight, padding=2, dilation=2)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    plain = DeformConv2dPack(4, 2, 3, padding=2, dilation=2, deform_groups=2)
    assert plain.load_state_dict(layer.state_dict(), strict=True)


def test_gradients_reach_input_weight_and_the_offsets_of_samples_inside() -> None:
    layer = MXNetDeformConv(1, 1, 1).double()
    offset = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    offset[0, 0] = 0.3
    layer.conv_offset = Fixed(offset)
    x = random(1, 1, 4, 4).requires_grad_()
    layer(x).sum().backward()
    gradient = layer.conv_offset.offset.grad[0, 0]
    slope = layer.weight.item() * (x[0, 0, 1:] - x[0, 0, :-1]).detach()
    assert torch.allclose(gradient[:3], slope) and not gradient[3].any()  # the last row is held at its pixels
    assert x.grad.all() and layer.weight.grad.all()
