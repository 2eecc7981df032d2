"""The deformable convolution of a CPU against torchvision's kernel."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import deform_conv2d as by_torchvision

from mmdetpre.operators.deform_conv import sampled_deform_conv2d


@settings(max_examples=40)
@given(
    count=st.sampled_from([1, 2, 33]),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    kernel=st.sampled_from([(1, 1), (3, 3), (3, 2)]),
    stride=st.sampled_from([(1, 1), (2, 1)]),
    dilation=st.sampled_from([(1, 1), (2, 1)]),
    deform_groups=st.sampled_from([1, 2]),
    spread=st.sampled_from([0.0, 0.5, 4.0]),
)
def test_outputs_and_gradients_are_torchvisions(count, size, kernel, stride, dilation, deform_groups, spread) -> None:
    generator = torch.Generator().manual_seed(0)
    padding = dilation
    out = [
        (side + 2 * pad - step * (k - 1) - 1) // jump + 1
        for side, pad, step, k, jump in zip(size, padding, dilation, kernel, stride, strict=True)
    ]
    shapes = (count, 4, *size), (count, 2 * deform_groups * kernel[0] * kernel[1], *out), (3, 4, *kernel)
    x, offset, weight = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    offset = offset * spread + 0.1234  # away from whole pixels, where the gradient of an offset has two values
    variables = [t.requires_grad_() for t in (x, offset.detach(), weight)]
    found = sampled_deform_conv2d(*variables, stride, padding, dilation, deform_groups)
    expected = by_torchvision(*variables, None, stride, padding, dilation)
    torch.testing.assert_close(found, expected)
    slope = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad(found, variables, slope), torch.autograd.grad(expected, variables, slope), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_single_precision_stays_within_1e5() -> None:
    torch.manual_seed(0)
    x, offset, weight = torch.randn(2, 64, 33, 40), torch.randn(2, 72, 33, 40) * 3, torch.randn(16, 64, 3, 3)
    found = sampled_deform_conv2d(x, offset, weight, (1, 1), (2, 2), (2, 2), 4)
    expected = by_torchvision(x.double(), offset.double(), weight.double(), None, (1, 1), (2, 2), (2, 2))
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
