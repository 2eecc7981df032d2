"""Ground truth of a batch of chips as padded tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def boxes_of(instances: InstanceData) -> Tensor:
    """Boxes (n, 4) of instances as a plain float tensor."""
    return get_box_tensor(instances.bboxes).float()


def large_enough(boxes: Tensor, min_side: float) -> Tensor:
    """Mask (n,) of boxes whose sides both reach ``min_side`` pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= min_side).all(dim=1)


def pad_boxes(boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stacks box lists (n_i, 4) to (B, max n_i, 4), with the mask (B, max n_i) of the real ones."""
    lengths = torch.tensor([len(b) for b in boxes], device=boxes[0].device)
    padded = pad_sequence(list(boxes), batch_first=True)
    return padded, torch.arange(padded.shape[1], device=lengths.device) < lengths[:, None]
