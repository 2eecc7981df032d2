"""Stands in for ``mmcv._ext``: the operators of mmcv that detectors of this project use, by torchvision and PyTorch.

Names and arguments are those that ``mmcv.ops`` calls; outputs are written into the tensors that it passes. Results
equal those of the compiled module: forward passes and NMS to the bit, gradients of deformable convolutions to the last
digits. An operator that is not here raises when it is called, not when ``mmcv.ops`` is imported.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchvision  # registers torch.ops.torchvision
from torch import Tensor

STANDS_IN_FOR_MMCV = True
_ops = torch.ops.torchvision
GET_COMPILED_MMCV = "make setup WITH_MMCV_OPS=1, or compile mmcv 2.1.0 for the torch you have"


def get_compiler_version() -> str:
    """What stands here instead of a compiler."""
    return f"torchvision {torchvision.__version__}"


def get_compiling_cuda_version() -> str:
    """CUDA that the kernels were built with, or ``not available``."""
    return torch.version.cuda or "not available"


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Positions of the boxes kept, best first. ``offset`` 1: the last pixel belongs to a box."""
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return _ops.nms(_wide(boxes), _wide(scores), iou_threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS of one list: fills ``dets`` (N, 5) from the top, returns positions. Method: naive, linear, Gaussian."""
    from mmdetpre.operators.soft_nms import soft_nms  # not above: mmdetpre itself asks for this module

    rows = torch.cat([boxes, scores[:, None]], dim=1).detach().cpu().float().numpy().copy()
    kept = soft_nms(rows, np.float32(iou_threshold), np.float32(sigma), np.float32(min_score), method, offset)
    dets[: len(kept)] = torch.from_numpy(rows[: len(kept)]).to(dets)
    return torch.from_numpy(kept).to(boxes.device)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average RoIAlign; ``argmax_*`` belong to the maximum, which torchvision does not have."""
    if pool_mode != 1:
        raise _missing("roi_align with pool_mode='max'")
    size = aligned_height, aligned_width
    output.copy_(_ops.roi_align(_wide(input), _wide(rois), spatial_scale, *size, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of `roi_align_forward` for the map."""
    if pool_mode != 1:
        raise _missing("roi_align with pool_mode='max'")
    size = aligned_height, aligned_width
    grad_input.copy_(
        _ops._roi_align_backward(
            _wide(grad_output), _wide(rois), spatial_scale, *size, *grad_input.shape, sampling_ratio, aligned
        )
    )


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **geometry: int
) -> None:
    """Deformable convolution without modulation."""
    output.copy_(_ops.deform_conv2d(input, weight, offset, *_neutral(offset, weight), *_form(geometry), False))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **geometry: int,
) -> None:
    """Gradients for map and offsets; that of the weight comes with them, and is kept for the call that follows."""
    gradients = _deform_conv_gradients(grad_output, input, weight, offset, geometry)
    grad_input.copy_(gradients[0])
    grad_offset.copy_(gradients[2])
    _weight_gradient.keep(grad_output, gradients[1])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float = 1,
    **geometry: int,
) -> None:
    """Gradient for the weight, which does not depend on the weight."""
    gradient = _weight_gradient.take(grad_output)
    if gradient is None:
        weight = torch.zeros_like(grad_weight)
        gradient = _deform_conv_gradients(grad_output, input, weight, offset, geometry)[1]
    grad_weight.copy_(gradient * scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Deformable convolution with a mask over its samples (DCNv2)."""
    bias = bias if with_bias else weight.new_zeros(len(weight))
    output.copy_(_ops.deform_conv2d(input, weight, offset, mask, bias, *_form(geometry), True))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Gradients of `modulated_deform_conv_forward`."""
    bias = bias if with_bias else weight.new_zeros(len(weight))
    found = _ops._deform_conv2d_backward(grad_output, input, weight, offset, mask, bias, *_form(geometry), True)
    for target, gradient in zip((grad_input, grad_weight, grad_offset, grad_mask), found[:4], strict=True):
        target.copy_(gradient)
    if with_bias:
        grad_bias.copy_(found[4])


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Focal loss of logits (N, C) against classes (N,); class C is background. ``weight`` (C,) or empty."""
    positive, p, log_p, log_n = _focal_terms(input, target)
    loss = torch.where(positive, -alpha * (1 - p) ** gamma * log_p, -(1 - alpha) * p**gamma * log_n)
    output.copy_(loss * _class_weight(weight, target))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Gradient of `sigmoid_focal_loss_forward` for the logits."""
    positive, p, log_p, log_n = _focal_terms(input, target)
    of_positive = -alpha * (1 - p) ** gamma * (1 - p - gamma * p * log_p)
    of_negative = -(1 - alpha) * p**gamma * (gamma * (1 - p) * log_n - p)
    grad_input.copy_(torch.where(positive, of_positive, of_negative) * _class_weight(weight, target))


def __getattr__(name: str) -> Callable[..., Any]:
    """Any other operator of mmcv: it is there, as ``mmcv.ops`` wants when it is imported, and raises when called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def absent(*args: Any, **kwargs: Any) -> Any:
        raise _missing(name)

    return absent


class _Kept:
    """One tensor that belongs to another, until that one is gone."""

    def __init__(self) -> None:
        self._owner: Callable[[], Tensor | None] = lambda: None
        self._value: Tensor | None = None

    def keep(self, owner: Tensor, value: Tensor) -> None:
        self._owner, self._value = weakref.ref(owner, self._drop), value

    def _drop(self, owner: Callable[[], Tensor | None]) -> None:
        if owner is self._owner:
            self._value = None

    def take(self, owner: Tensor) -> Tensor | None:
        value = self._value if self._owner() is owner else None
        self._value = None
        return value


_weight_gradient = _Kept()


def _deform_conv_gradients(
    grad_output: Tensor, input: Tensor, weight: Tensor, offset: Tensor, geometry: dict[str, int]
) -> tuple[Tensor, ...]:
    neutral = _neutral(offset, weight)
    return _ops._deform_conv2d_backward(grad_output, input, weight, offset, *neutral, *_form(geometry), False)


def _neutral(offset: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mask and bias of a convolution that has none."""
    return offset.new_zeros(len(offset), 1), weight.new_zeros(len(weight))


def _form(geometry: dict[str, int]) -> tuple[int, ...]:
    """Stride, padding and dilation by height and width, groups and offset groups, from either spelling of mmcv."""
    if "dH" in geometry:
        names = "dH", "dW", "padH", "padW", "dilationH", "dilationW"
    else:
        names = "stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w"
    return *(geometry[name] for name in names), geometry["group"], geometry["deformable_group"]


def _focal_terms(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    input = _wide(input)
    positive = torch.arange(input.shape[1], device=input.device) == target[:, None]
    log_sigmoid = torch.nn.functional.logsigmoid
    return positive, input.sigmoid(), log_sigmoid(input), log_sigmoid(-input)


def _class_weight(weight: Tensor, target: Tensor) -> Tensor | float:
    """(N, 1) weight of each row's class; background has weight 1."""
    if not len(weight):
        return 1.0
    return torch.cat([weight, weight.new_ones(1)])[target.clamp(max=len(weight))][:, None]


def _wide(values: Tensor) -> Tensor:
    """In float32 what no kernel knows: bfloat16."""
    return values.float() if values.dtype == torch.bfloat16 else values


def _missing(name: str) -> NotImplementedError:
    return NotImplementedError(
        f"mmcv's operator {name} needs a compiled mmcv, and mmcv-lite is installed: {GET_COMPILED_MMCV}."
    )
