"""The stand-in against mmcv's own binary, where one was compiled (``make setup WITH_MMCV_OPS=1``)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import pytest
import torch
from mmcv.ops import deform_conv2d, modulated_deform_conv2d, nms, roi_align, sigmoid_focal_loss, soft_nms
from torch import Tensor

from mmdetpre.operators import torchvision_ops
from mmdetpre.operators.startup import BINARY

pytestmark = pytest.mark.skipif(
    hasattr(import_module(BINARY), "STANDS_IN_FOR_MMCV"),
    reason="mmcv-lite is installed: make setup WITH_MMCV_OPS=1 compiles what this compares with",
)
MODULES = ("deform_conv", "modulated_deform_conv", "nms", "roi_align", "focal_loss")


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], list[Tensor]]], tuple[list[Tensor], list[Tensor]]]:
    """Results of a call of ``mmcv.ops`` over its own binary, and over the stand-in."""

    def call(work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
        compiled = work()
        with monkeypatch.context() as patch:
            for module in MODULES:
                patch.setattr(sys.modules[f"mmcv.ops.{module}"], "ext_module", torchvision_ops)
            return compiled, work()

    torch.manual_seed(0)
    return call


def boxes_and_scores(count: int) -> tuple[Tensor, Tensor]:
    corner = torch.rand(count, 2) * 200
    return torch.cat([corner, corner + 5 + torch.rand(count, 2) * 60], dim=1), torch.rand(count)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_nms_to_the_bit(both: Callable, offset: int, threshold: float) -> None:
    boxes, scores = boxes_and_scores(500)
    compiled, ours = both(lambda: list(nms(boxes, scores, threshold, offset)))
    assert all(torch.equal(a, b) for a, b in zip(compiled, ours, strict=True))


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms(both: Callable, method: str, offset: int) -> None:
    boxes, scores = boxes_and_scores(300)
    compiled, ours = both(lambda: list(soft_nms(boxes, scores, 0.3, 0.5, 0.01, method, offset)))
    assert torch.equal(compiled[1], ours[1])
    torch.testing.assert_close(compiled[0], ours[0])


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_roi_align_both_ways_to_the_bit(both: Callable, aligned: bool, sampling_ratio: int) -> None:
    boxes, _ = boxes_and_scores(40)
    rois = torch.cat([torch.arange(40)[:, None] % 2, boxes], dim=1)
    x, slope = torch.randn(2, 8, 33, 40).requires_grad_(), torch.randn(40, 8, 7, 5)

    def work() -> list[Tensor]:
        y = roi_align(x, rois, (7, 5), 0.125, sampling_ratio, "avg", aligned)
        return [y, *torch.autograd.grad(y, [x], slope)]

    compiled, ours = both(work)
    assert torch.equal(compiled[0], ours[0])
    torch.testing.assert_close(compiled[1], ours[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_deformable_convolutions(both: Callable, modulated: bool, groups: int) -> None:
    x, offset, weight = torch.randn(3, 8, 13, 11), torch.randn(3, 36, 13, 11) * 2, torch.randn(6, 8 // groups, 3, 3)
    mask, bias, slope = torch.rand(3, 18, 13, 11), torch.randn(6), torch.randn(3, 6, 13, 11)
    given = [t.requires_grad_() for t in (x, offset, *((mask,) if modulated else ()), weight)]
    if modulated:
        given.append(bias.requires_grad_())

    def work() -> list[Tensor]:
        conv = modulated_deform_conv2d if modulated else deform_conv2d
        y = conv(*given, 1, 2, 2, groups, 2)
        return [y, *torch.autograd.grad(y, given, slope)]

    compiled, ours = both(work)
    torch.testing.assert_close(compiled[0], ours[0], rtol=1e-6, atol=1e-6)
    for a, b in zip(compiled[1:], ours[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * float(a.abs().max()))


def test_focal_loss(both: Callable) -> None:
    x, target = (torch.randn(30, 5) * 6).requires_grad_(), torch.randint(0, 6, (30,))
    weight = torch.rand(5)

    def work() -> list[Tensor]:
        losses = [sigmoid_focal_loss(x, target, 2.0, 0.25, each, "none") for each in (None, weight)]
        return [*losses, *(torch.autograd.grad(loss.sum(), x)[0] for loss in losses)]

    if not torch.cuda.is_available():
        pytest.skip("mmcv has this one for GPUs only")
    for a, b in zip(*both(work), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
