"""What a mask head learns from the regions of a batch of chips, made without waiting for the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.ops import roi_align
from mmdet.structures import DetDataSample
from torch import Tensor

from mmdetpre.models.instances import on_device


def stack_masks(samples: Sequence[DetDataSample], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The masks of all objects of a batch of chips, one chip after the other.

    Args:
        samples: The chips; ``gt_instances.masks`` are mmdet's ``BitmapMasks``.
        device: Where the masks are wanted.

    Returns:
        Masks (N, H, W) uint8, padded to the largest chip, N at least 1; number of each chip's first mask (B,), and of
        its masks (B,).

    Raises:
        ValueError: If the chips have no masks.
    """
    if any("masks" not in sample.gt_instances for sample in samples):
        raise ValueError(
            "model.roi_head has a mask_head, but the chips have no masks: set train_dataloader.dataset.dataset."
            "with_masks=True (mmdetpre.PackedCocoDataset), or model.roi_head.mask_head=None."
        )
    parts = [sample.gt_instances.masks for sample in samples]
    counts = np.array([len(part) for part in parts])
    height, width = max(part.height for part in parts), max(part.width for part in parts)
    stacked = np.zeros((max(counts.sum(), 1), height, width), np.uint8)
    first = counts.cumsum() - counts
    for start, part in zip(first.tolist(), parts, strict=True):
        stacked[start : start + len(part), : part.height, : part.width] = part.masks
    return on_device(stacked, device), on_device(first, device), on_device(counts, device)


@torch.no_grad()
def mask_targets(masks: Tensor, rows: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks (R, h, w) of 0 and 1 that regions are to learn, as ``BitmapMasks.crop_and_resize`` of mmdet gives them.

    Args:
        masks: (N, H, W) masks in pixels of the chips.
        rows: (R,) mask of each region.
        boxes: (R, 4) regions, xyxy in pixels of the chip.
        size: Height and width of a target.

    Example:
        >>> mask = torch.tensor([[[0, 1], [0, 1]]], dtype=torch.uint8)
        >>> mask_targets(mask, torch.tensor([0]), torch.tensor([[0.0, 0.0, 2.0, 2.0]]), (2, 2)).tolist()
        [[[0.0, 1.0], [0.0, 1.0]]]
    """
    regions = torch.cat([rows[:, None].to(boxes), boxes], dim=1)
    cover = roi_align(masks[:, None].to(boxes), regions, size, 1.0, 0, "avg", True)
    return (cover[:, 0] >= 0.5).to(boxes)
