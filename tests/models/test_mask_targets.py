"""Targets of a mask head are those of mmdet."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from mmdetpre.models.mask_targets import mask_targets, stack_masks


def sample(count, height, width, rng):
    masks = np.kron(rng.integers(0, 2, (count, height // 4, width // 4)), np.ones((4, 4))).astype(np.uint8)
    made = DetDataSample()
    made.gt_instances = InstanceData(bboxes=torch.zeros(count, 4), masks=BitmapMasks(masks, height, width))
    return made


def test_targets_are_those_of_mmdet_for_chips_of_several_sizes():
    rng = np.random.default_rng(0)
    samples = [sample(2, 32, 40, rng), sample(0, 40, 40, rng), sample(3, 40, 24, rng)]
    masks, first, counts = stack_masks(samples, torch.device("cpu"))
    assert masks.shape == (5, 40, 40) and first.tolist() == [0, 2, 2] and counts.tolist() == [2, 0, 3]
    corner = torch.from_numpy(rng.uniform(0, 15, (30, 2))).float()
    boxes = torch.cat([corner, corner + torch.from_numpy(rng.uniform(2, 9, (30, 2))).float()], dim=1)
    for chip in (0, 2):
        rows = torch.from_numpy(rng.integers(0, counts[chip], 30))
        expected = samples[chip].gt_instances.masks.crop_and_resize(boxes.numpy(), (7, 9), rows)
        found = mask_targets(masks, first[chip] + rows, boxes, (7, 9))
        assert np.array_equal(found.numpy(), expected.masks) and 0 < found.mean() < 1


def test_chips_without_objects_still_give_a_mask_to_point_at():
    masks, _, counts = stack_masks([sample(0, 8, 8, np.random.default_rng(0))] * 2, torch.device("cpu"))
    assert masks.shape == (1, 8, 8) and not masks.any() and counts.tolist() == [0, 0]


def test_chips_without_masks_are_refused():
    made = DetDataSample()
    made.gt_instances = InstanceData(bboxes=torch.zeros(1, 4))
    with pytest.raises(ValueError, match="with_masks=True"):
        stack_masks([made], torch.device("cpu"))
