"""How much boxes overlap, without waiting for the device.

Equals mmdet's ``bbox_overlaps`` bit by bit, which copies a constant to the device at each call and so makes the host
wait for all that the device has yet to do.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_AREA = 1e-6


def areas(boxes: Tensor) -> Tensor:
    """Areas (...) of boxes (..., 4), xyxy half-open, in square pixels."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def intersections(boxes: Tensor, others: Tensor) -> Tensor:
    """Areas (..., N, M) that boxes (..., N, 4) share with others (..., M, 4)."""
    left, top, right, bottom = boxes[..., :, None, :].unbind(-1)
    other_left, other_top, other_right, other_bottom = others[..., None, :, :].unbind(-1)
    width = torch.minimum(right, other_right).sub_(torch.maximum(left, other_left)).clamp_(min=0)
    height = torch.minimum(bottom, other_bottom).sub_(torch.maximum(top, other_top)).clamp_(min=0)
    return width.mul_(height)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union (..., N, M) of boxes (..., N, 4) with others (..., M, 4); 0 for boxes without area.

    Example:
        >>> iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]]))
        tensor([[0.3333, 0.0000]])
    """
    shared = intersections(boxes, others)
    union = (areas(boxes)[..., :, None] + areas(others)[..., None, :]).sub_(shared).clamp_(min=_LEAST_AREA)
    return shared.div_(union)


def inside(boxes: Tensor, others: Tensor) -> Tensor:
    """Part (..., N, M) of the area of boxes (..., N, 4) that lies inside others (..., M, 4)."""
    return intersections(boxes, others).div_(areas(boxes)[..., :, None].clamp(min=_LEAST_AREA))
