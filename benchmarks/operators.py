"""NMS, RoIAlign and deformable convolution: ours beside a compiled mmcv, where there is one, and torchvision's own.

    python benchmarks/operators.py                    # --device cuda: those of a GPU
    make setup WITH_MMCV_OPS=1          # compiles mmcv: its rows are then in the table

Sizes are those of SNIPER on chips of 512 pixels. "Ours" are the operators that stand in for mmcv's binary, and for the
deformable convolution that of ``mmdetpre.DCN``. Results are compared: NMS must keep the same boxes, all others must
agree to 1e-5 of the largest value. Times are of one core, or of a GPU, forward or forward and backward.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import mmcv.ops
import torch
import torchvision
from arithmetic import clock_of, wait
from side_by_side import Row, in_turn, run
from torch import Tensor

from mmdetpre.operators import torchvision_ops
from mmdetpre.operators.deform_conv import sampled_deform_conv2d
from mmdetpre.operators.startup import BINARY

Work = Callable[[], list[Tensor]]
MODULES = ("nms", "roi_align", "deform_conv")
STAND_IN, COMPILED, TORCHVISION, SAMPLED = "the stand-in", "compiled mmcv", "torchvision's function", "grid_sample"


@contextmanager
def operators(binary: Any) -> Iterator[None]:
    """``mmcv.ops`` over another binary module."""
    modules: list[Any] = [sys.modules[f"mmcv.ops.{name}"] for name in MODULES]
    before = [module.ext_module for module in modules]
    try:
        for module in modules:
            module.ext_module = binary
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            module.ext_module = own


def over(binary: Any, work: Work) -> Work:
    def call() -> list[Tensor]:
        with operators(binary):
            return work()

    return call


def by_mmcv(work: Work) -> dict[str, Work]:
    """The same call of ``mmcv.ops`` over the stand-in, and over a compiled binary where there is one."""
    binary = import_module(BINARY)
    ways = {STAND_IN: over(torchvision_ops, work)}
    return ways if hasattr(binary, "STANDS_IN_FOR_MMCV") else ways | {COMPILED: over(binary, work)}


def nms_ways(boxes: int, device: str) -> dict[str, Work]:
    corner, side = torch.rand(boxes, 2) * 460, torch.rand(boxes, 2) * 100 + 8
    given, scores = on(device, torch.cat([corner, corner + side], dim=1), torch.randperm(boxes) / boxes)
    ways = by_mmcv(lambda: [mmcv.ops.nms(given, scores, 0.7)[1]])
    return ways | {TORCHVISION: lambda: [torchvision.ops.nms(given, scores, 0.7)]}


def roi_align_ways(backward: bool, channels: int, regions: int, device: str) -> dict[str, Work]:
    corner, side = torch.rand(regions, 2) * 400, torch.rand(regions, 2) * 100 + 8
    rois = torch.cat([torch.zeros(regions, 1), corner, corner + side], dim=1)
    maps = torch.randn(1, channels, 32, 32), torch.randn(regions, channels, 14, 14)
    x, slope, rois = on(device, *maps, rois)
    x.requires_grad_()

    def through(align: Callable[..., Tensor], *more: Any) -> list[Tensor]:
        y = align(x, rois, (14, 14), 1 / 16, 2, *more)
        return [y.detach(), *(torch.autograd.grad(y, [x], slope) if backward else ())]

    ways = by_mmcv(lambda: through(mmcv.ops.roi_align, "avg", True))
    return ways | {TORCHVISION: lambda: through(torchvision.ops.roi_align, True)}


def deform_conv_ways(backward: bool, channels: int, device: str) -> dict[str, Work]:
    x, weight = torch.randn(1, channels, 32, 32), torch.randn(channels, channels, 3, 3) / channels
    offset, slope = torch.randn(1, 72, 32, 32), torch.randn(1, channels, 32, 32)
    x, offset, weight, slope = on(device, x, offset, weight, slope)
    given = (x.requires_grad_(), offset.requires_grad_(), weight.requires_grad_())

    def through(y: Tensor) -> list[Tensor]:
        return [y.detach(), *(torch.autograd.grad(y, given, slope) if backward else ())]

    two = (2, 2)
    ways = by_mmcv(lambda: through(mmcv.ops.deform_conv2d(*given, 1, 2, 2, 1, 4)))
    return {SAMPLED: lambda: through(sampled_deform_conv2d(*given, (1, 1), two, two, 4))} | ways


def compared(what: str, ways: Mapping[str, Work], args: argparse.Namespace, equal: bool = False) -> Iterator[Row]:
    """The first way beside each of the others."""
    waited = {name: waiting(work, args.device) for name, work in ways.items()}
    times = in_turn(waited, args.repeats, seconds=args.seconds, clock=clock_of(args.device))
    (ours, found), *others = times.items()
    for name, timing in others:
        off = difference(found.result, timing.result)
        if off > (0 if equal else 1e-5):
            raise RuntimeError(f"{what}: {ours} and {name} differ by {off:.1g}: the comparison would mean nothing.")
        against = f"{name} ({'equal results' if off == 0 else f'differ by {off:.1g}'})"
        yield Row(what=what, unit="ms", ours=1e3 * found.median, theirs=1e3 * timing.median, against=against)


def on(device: str, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors on a device; drawn on the CPU they are the same everywhere."""
    return tuple(tensor.to(device) for tensor in tensors)


def waiting(work: Work, device: str) -> Work:
    """The work until the device has done it."""

    def call() -> list[Tensor]:
        result = work()
        wait(device)
        return result

    return call


def difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """Largest difference, in parts of the largest value of each result; infinite where shapes differ."""
    if [t.shape for t in found] != [t.shape for t in expected]:
        return float("inf")
    pairs = ((a.double(), b.double()) for a, b in zip(found, expected, strict=True))
    return max(float((a - b).abs().max() / b.abs().max().clamp(min=1e-30)) for a, b in pairs)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield from compared(f"NMS of {args.boxes:,} boxes", nms_ways(args.boxes, args.device), args, equal=True)
    for backward in (False, True):
        which = "forward and backward" if backward else "forward"
        what = f"RoIAlign 14 x 14 of {args.regions} regions, {args.channels // 2} channels, {which}"
        yield from compared(what, roi_align_ways(backward, args.channels // 2, args.regions, args.device), args)
        what = f"deformable convolution 3 x 3 of a 32 x 32 map, {args.channels} channels, 4 groups, {which}"
        yield from compared(what, deform_conv_ways(backward, args.channels, args.device), args)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--boxes", type=int, default=6000, help="of NMS (%(default)s)")
    parser.add_argument("--regions", type=int, default=300, help="of RoIAlign (%(default)s)")
    parser.add_argument("--channels", type=int, default=512, help="of the convolution; half for RoIAlign (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the median counts (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="each way takes at least (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
