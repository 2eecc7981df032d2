"""Targets of the second stage, against the worked examples of the original (spec examples 18, 24 and 29)."""

import pytest
import torch
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmdetpre.models.roi_targets import add_gt_to_proposals, assign_rois, batch_targets

CODER = DeltaXYWHBBoxCoder(target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])
G = torch.tensor([[100.0, 100.0, 164.0, 164.0]])
NONE = torch.zeros(1, 4)


def assign(rois, gt=G, label=3, invalid=False, groups=NONE, **kwargs):
    count = len(gt)
    return assign_rois(
        torch.as_tensor(rois, dtype=torch.float32).reshape(-1, 4),
        gt,
        torch.full((count,), label),
        torch.full((count,), invalid),
        groups,
        num_classes=5,
        **kwargs,
    )


def test_regression_targets_are_symmetric():
    rois = torch.tensor([[104.0, 104.0, 168.0, 168.0], G[0].tolist()])
    targets = assign(rois)
    encoded = CODER.encode(rois, targets.gt_boxes)
    assert encoded[0].tolist() == pytest.approx([-0.625, -0.625, 0, 0], abs=1e-6)
    assert encoded[1].tolist() == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert targets.labels.tolist() == [3, 3]


def test_positive_needs_more_than_half_overlap():
    gt = torch.tensor([[100.0, 100.0, 120.0, 120.0]])
    assert assign([107, 100, 127, 120], gt).labels.item() == 5  # IoU 0.4815: background
    assert assign([106, 100, 126, 120], gt).labels.item() == 3  # IoU 0.538
    assert assign([100, 100, 110, 120], gt).labels.item() == 5  # exactly 0.5 is background


def test_background_regresses_to_itself_without_nan():
    rois = torch.tensor([[300.0, 300.0, 310.0, 320.0]])
    targets = assign(rois)
    assert CODER.encode(rois, targets.gt_boxes).abs().max() == 0
    assert assign(rois, gt=NONE).labels.tolist() == [5]


def test_out_of_range_objects_teach_by_default_and_can_be_ignored():
    assert assign(G, invalid=True).weights.item() == 1
    assert assign(G, invalid=True).labels.item() == 3
    assert assign(G, invalid=True, ignore_invalid_gt=True).weights.item() == 0
    assert assign([0, 0, 10, 10], invalid=True, ignore_invalid_gt=True).weights.item() == 1


def test_groups_silence_background_but_not_objects():
    group = torch.tensor([[90.0, 90.0, 300.0, 300.0]])
    targets = assign([[200, 200, 240, 240], G[0].tolist(), [280, 280, 320, 320]], groups=group)
    assert targets.weights.tolist() == [0, 1, 1]


def test_soft_sampling_weights_of_the_original():
    widths = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4]) * 100
    gt = torch.tensor([[0.0, 0.0, 100.0, 100.0]])
    rois = [[0, 0, float(w), 100] if w else [200, 200, 210, 210] for w in widths]
    weights = assign(rois, gt, soft_sampling=True).weights
    assert weights.tolist() == pytest.approx([0.25, 0.2509, 0.5502, 0.9126, 0.9875], abs=1e-4)
    assert assign(gt, gt, soft_sampling=True).weights.item() == 1


def test_gt_in_range_joins_the_proposals():
    proposals = torch.arange(300.0)[:, None] + torch.tensor([0.0, 0.0, 20.0, 20.0])
    gt = torch.tensor([[0.0, 0.0, 64.0, 64.0], [0.0, 0.0, 30.0, 30.0], [0.0, 0.0, 300.0, 300.0]])
    area_range = torch.tensor([[53.333**2]]), torch.tensor([[250.0**2]])
    rois, taken = add_gt_to_proposals(proposals[None], gt[None], area_range, 300)
    assert taken.all()
    assert torch.equal(rois[0, -1], gt[0])
    assert torch.equal(rois[0, :299], proposals[:299])
    rois, taken = add_gt_to_proposals(proposals[None, :5], gt[None], area_range, 300)
    assert taken.tolist() == [[True] * 6 + [False] * 2]
    assert torch.equal(rois[0, :6], torch.cat([proposals[:5], gt[:1]]))


def random_chip(generator, valid, ignored, proposals):
    corner = torch.rand(valid + ignored + proposals, 2, generator=generator) * 100
    boxes = torch.cat([corner, corner + 1 + 60 * torch.rand(corner.shape, generator=generator)], dim=1)
    labels = torch.randint(5, (valid + ignored,), generator=generator)
    sample = DetDataSample(metainfo=dict(valid_range=(15.0, 45.0)))
    sample.gt_instances = InstanceData(bboxes=boxes[:valid], labels=labels[:valid])
    sample.ignored_instances = InstanceData(
        bboxes=boxes[valid : valid + ignored],
        labels=labels[valid:],
        group_of=torch.rand(ignored, generator=generator) < 0.3,
    )
    return boxes[valid + ignored :], sample


SETTINGS = ConfigDict(
    num_rois=20, min_gt_side=4, pos_iou_thr=0.3, group_iof_thr=0.9, ignore_invalid_gt=True, soft_sampling=True
)


def test_a_batch_is_treated_as_its_chips_alone():
    generator = torch.Generator().manual_seed(0)
    counts = [(3, 4, 30), (0, 9, 12), (30, 2, 5), (0, 0, 7), (5, 0, 0), (0, 0, 0)]
    chips = [random_chip(generator, *count) for count in counts]
    rois, targets = batch_targets(*zip(*chips, strict=True), 5, SETTINGS)
    assert rois[:, 0].int().bincount().tolist() == [min(20, sum(count)) or 1 for count in counts]
    alone = [batch_targets([proposals], [sample], 5, SETTINGS) for proposals, sample in chips]
    used = targets.weights > 0
    assert torch.equal(targets.weights, torch.cat([target.weights for _, target in alone]))
    assert torch.equal(rois[used, 1:], torch.cat([roi[:, 1:] for roi, _ in alone])[used])
    for name in ("labels", "gt_boxes"):
        assert torch.equal(getattr(targets, name)[used], torch.cat([getattr(t, name) for _, t in alone])[used]), name
    assert (targets.labels[used] < 5).any() and used[rois[:, 0] == 1].any()
    assert not used[rois[:, 0] == 5].any()
    assert torch.isfinite(CODER.encode(rois[:, 1:], targets.gt_boxes)).all()


def test_ground_truth_of_the_range_is_learned_and_takes_a_place():
    proposals, sample = random_chip(torch.Generator().manual_seed(1), 6, 3, 40)
    rois, targets = batch_targets([proposals], [sample], 5, SETTINGS)
    boxes = torch.cat([sample.gt_instances.bboxes, sample.ignored_instances.bboxes[~sample.ignored_instances.group_of]])
    size = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
    joined = boxes[(size >= 15) & (size <= 45) & ((boxes[:, 2:] - boxes[:, :2]) >= 4).all(dim=1)]
    assert 0 < len(joined) < len(boxes)
    assert torch.equal(rois[:, 1:], torch.cat([proposals[: 20 - len(joined)], joined]))
    assert (targets.gt_boxes[-len(joined) :] == joined).all()
