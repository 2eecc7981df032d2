"""Targets on a GPU are those on the CPU: run with MMDETPRE_TEST_GPU=1."""

from __future__ import annotations

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmdetpre.models.roi_targets import batch_targets
from mmdetpre.models.rounded_anchors import RoundedAnchorGenerator
from mmdetpre.models.rpn_targets import label_anchors, sample_anchors

SETTINGS = ConfigDict(
    num_rois=60, min_gt_side=4, pos_iou_thr=0.5, group_iof_thr=0.9, ignore_invalid_gt=True, soft_sampling=True
)


@pytest.fixture(autouse=True)
def _only_on_a_gpu(device):
    if device == "cpu":
        pytest.skip("compares a GPU with the CPU (MMDETPRE_TEST_GPU=1)")


def boxes(count: int, generator: torch.Generator) -> torch.Tensor:
    """Boxes with corners on whole pixels, so that both devices compute the same overlaps to the last bit."""
    corner = torch.randint(0, 400, (count, 2), generator=generator).float()
    return torch.cat([corner, corner + torch.randint(8, 112, (count, 2), generator=generator)], dim=1)


def test_anchors(device):
    generator = torch.Generator().manual_seed(0)
    gt, ignored = (torch.stack([boxes(count, generator) for _ in range(4)]) for count in (90, 70))
    anchors = RoundedAnchorGenerator(strides=[16], ratios=[0.5, 1, 2], scales=[2, 4, 7, 13])
    anchors = anchors.grid_priors([(32, 32)], device="cpu")[0]
    arguments = anchors, (anchors >= -32).all(dim=1), gt, ignored
    expected = label_anchors(*arguments)
    found = label_anchors(*(value.to(device) for value in arguments))
    labels = found[0].cpu()
    assert (labels != expected[0]).float().mean() < 1e-3 and set(labels.unique().tolist()) == {-1, 0, 1}
    assert (found[1].cpu() != expected[1])[labels == 1].float().mean() < 1e-2
    index, drawn, _ = sample_anchors(found[0], 256, 0.5)
    assert index.device.type == drawn.device.type == torch.device(device).type
    assert ((drawn >= 0).sum(dim=1) == 256).all()
    assert (found[0].gather(1, index) == drawn)[drawn >= 0].all()


def test_regions(device):
    generator = torch.Generator().manual_seed(0)
    proposals, samples = [], []
    for _ in range(3):
        sample = DetDataSample(metainfo=dict(valid_range=(15.0, 90.0)))
        labels = torch.randint(5, (12,), generator=generator)
        sample.gt_instances = InstanceData(bboxes=boxes(12, generator), labels=labels)
        groups = torch.rand(12, generator=generator) < 0.3
        sample.ignored_instances = InstanceData(bboxes=boxes(12, generator), labels=labels, group_of=groups)
        near = sample.gt_instances.bboxes.repeat(3, 1) + torch.randint(-9, 9, (36, 4), generator=generator)
        proposals.append(near)
        samples.append(sample)
    rois, expected = batch_targets(proposals, samples, 5, SETTINGS)
    on_gpu = batch_targets([p.to(device) for p in proposals], [s.to(device) for s in samples], 5, SETTINGS)
    torch.testing.assert_close(on_gpu[0].cpu(), rois)
    for name in ("labels", "weights", "gt_boxes"):
        torch.testing.assert_close(getattr(on_gpu[1], name).cpu(), getattr(expected, name), msg=lambda t, n=name: n + t)
    assert (expected.labels < 5).any()
