"""Overlaps of boxes, against mmdet's."""

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps

from mmdetpre.models.overlaps import inside, iou


@pytest.mark.parametrize(("ours", "mode"), [(iou, "iou"), (inside, "iof")])
def test_they_are_mmdets_to_the_bit(ours, mode):
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(3, 90, 2, generator=generator) * 100
    boxes = torch.cat([corner, corner + 60 * torch.rand(3, 90, 2, generator=generator)], dim=2)
    boxes[:, ::9] = 0  # none
    boxes[:, 1::9, 2:] = boxes[:, 1::9, :2]  # without area
    some, others = boxes[:, :50], boxes[:, 50:]
    assert torch.equal(ours(some, others), bbox_overlaps(some, others, mode=mode))
    assert torch.equal(ours(some[0], others[0]), ours(some, others)[0])
    assert torch.equal(ours(some[0], others), ours(some[:1].expand(3, -1, -1), others))
