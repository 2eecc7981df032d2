"""The arithmetic a model asks for, and how fast the machine multiplies matrices: together the least time it can take.

operations = count_operations(lambda: model.test_step(data), model)
rate = matrix_rate(torch.device("cuda"), torch.bfloat16)
operations / rate  # seconds
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from mmcv.ops import DeformConv2d
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmdetpre.models.deform_conv import DeformConv


def count_operations(work: Callable[[], Any], model: nn.Module) -> int:
    """Additions and multiplications of all matrix products and convolutions of ``work``, forward and backward.

    torch counts its own; deformable convolutions of the model are added: those of a plain convolution in the forward
    pass, and as much again for each of the two gradients.
    """
    with _deformable(model) as deformable, FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() + sum(deformable)


@contextmanager
def _deformable(model: nn.Module) -> Iterator[list[int]]:
    """Collects the operations of the model's deformable convolutions, which are mmcv's own operators."""
    counts: list[int] = []

    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, DeformConv) and output.device.type == "cpu":
            return  # computed by products that torch counts
        operations = 2 * output.numel() * layer.weight[0].numel()  # type: ignore[index]
        counts.append(operations)
        if output.requires_grad:
            output.register_hook(lambda gradient: counts.append(2 * operations))

    handles = [layer.register_forward_hook(hook) for layer in model.modules() if isinstance(layer, DeformConv2d)]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def matrix_rate(
    device: torch.device | str, dtype: torch.dtype = torch.float32, size: int | None = None, repeats: int = 10
) -> float:
    """Operations per second of the product of two large square matrices of random numbers, median of ``repeats``.

    Random, since zeros need less power and so run faster. float32 on a GPU takes TF32 if
    ``torch.backends.cuda.matmul.allow_tf32`` is set. On the CPU seconds are those of a core.
    """
    device = torch.device(device)
    now = time.perf_counter if device.type == "cuda" else time.process_time
    size = size or (8192 if device.type == "cuda" else 1024)
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    out = torch.empty_like(a)

    def product() -> float:
        wait(device)
        began = now()
        torch.mm(a, b, out=out)
        wait(device)
        return now() - began

    for _ in range(3):
        product()
    return 2 * size**3 / sorted(product() for _ in range(repeats))[repeats // 2]


def wait(device: torch.device | str) -> None:
    """Returns when a GPU has done what it was given; at once on the CPU."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def clock_of(device: str) -> Literal["wall", "cpu"]:
    """Processor time, which loses nothing to whoever shares the machine; a GPU shows on the clock of the wall only."""
    return "cpu" if device == "cpu" else "wall"
