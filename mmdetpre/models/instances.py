"""Ground truth of a batch of chips as padded tensors, made without waiting for the device.

A box of zeros is not a box: it overlaps nothing, so padding needs no mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor


def boxes_of(instances: InstanceData) -> Tensor:
    """Boxes (n, 4) of instances as a plain float tensor."""
    return get_box_tensor(instances.bboxes).float()


def group_of(instances: InstanceData) -> Tensor:
    """Mask (n,) of the instances that are crowds; none is where the data set does not tell."""
    if (groups := instances.get("group_of")) is not None:
        return groups
    return torch.zeros(len(instances), dtype=torch.bool, device=instances.bboxes.device)


def large_enough(boxes: Tensor, min_side: float) -> Tensor:
    """Mask (...) of boxes (..., 4) whose sides both reach ``min_side`` pixels."""
    return ((boxes[..., 2:] - boxes[..., :2]) >= min_side).all(dim=-1)


def on_device(values: np.ndarray, device: torch.device) -> Tensor:
    """An array of the host on a device. The host goes on, while ``new_tensor`` and ``torch.tensor`` would wait."""
    return torch.from_numpy(values).to(device, non_blocking=True)


def pad(rows: Sequence[Tensor]) -> Tensor:
    """Stacks lists (n_i, ...) to (B, G, ...), G being the largest n_i but at least 1; what is added is zeros.

    Example:
        >>> pad([torch.tensor([1, 2]), torch.tensor([], dtype=torch.long), torch.tensor([3])]).tolist()
        [[1, 2], [0, 0], [3, 0]]
    """
    counts = np.array([len(r) for r in rows])
    place, first = np.arange(max(counts.max(), 1)), counts.cumsum() - counts
    index = np.where(place < counts[:, None], first[:, None] + place, counts.sum())
    zeros = rows[0].new_zeros(1, *rows[0].shape[1:])
    return torch.cat([*rows, zeros])[on_device(index, zeros.device)]


def area_range(metas: Sequence[Mapping], device: torch.device) -> tuple[Tensor, Tensor]:
    """Smallest and largest area, each (B, 1), that chips with this meta information learn, in square chip pixels."""
    sizes = np.array([m.get("valid_range", (0.0, np.inf)) for m in metas], dtype=np.float64)
    low, high = on_device((sizes**2).astype(np.float32), device).split(1, dim=1)
    return low, high
