"""Anchors and their labels, against the worked examples of the original (spec examples 21 to 23)."""

import pytest
import torch
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import bbox_overlaps

from mmdetpre.models.instances import large_enough, pad
from mmdetpre.models.rounded_anchors import RoundedAnchorGenerator
from mmdetpre.models.rpn_targets import label_anchors, sample_anchors

SCALES = [2, 4, 7, 10, 13, 16, 24]


@pytest.fixture(scope="module")
def anchors():
    generator = RoundedAnchorGenerator(strides=[16], ratios=[0.5, 1, 2], scales=SCALES)
    return generator.grid_priors([(32, 32)], device="cpu")[0]


@pytest.fixture(scope="module")
def considered(anchors):
    return (anchors[:, :2] >= -32).all(1) & (anchors[:, 2:] <= 512 + 32).all(1)


def half_open(*boxes):
    """The examples' inclusive pixel indices as half-open boxes."""
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) + torch.tensor([0.0, 0.0, 1.0, 1.0])


def labels_of(anchors, considered, valid, ignored):
    valid, ignored = (half_open(*boxes) for boxes in (valid, ignored))
    gt, ign = (pad([boxes[large_enough(boxes, 10)]]) for boxes in (valid, ignored))
    return label_anchors(anchors, considered, gt, ign)


def counts(labels):
    return tuple(int((labels == value).sum()) for value in (1, 0, -1))


def test_anchors_of_the_original(anchors, considered):
    assert len(anchors) == 21504
    assert int(considered.sum()) == 13388
    base = anchors[:21]
    corners = {0: (-15, -4, 30, 19), 7: (-8, -8, 23, 23), 13: (-184, -184, 199, 199), 14: (-3, -14, 18, 29)}
    for index, box in corners.items():
        assert torch.equal(base[index], half_open(box)[0])
    per_base = considered.reshape(-1, 21).sum(0).tolist()
    wide = [1024, 960, 780, 616, 468, 336, 36]
    square = [1024, 1024, 900, 676, 576, 400, 144]
    tall = [1024, 960, 832, 660, 504, 364, 80]
    assert per_base == wide + square + tall


G = (100, 100, 163, 163)


@pytest.mark.parametrize(
    ("valid", "ignored", "expected"),
    [
        ([G], [], (9, 13370, 8125)),
        ([G], [(300, 300, 399, 399)], (9, 13144, 8351)),
        ([], [(300, 300, 399, 399)], (0, 13162, 8342)),
        ([], [], (0, 13388, 8116)),
        ([G], [(110, 100, 173, 163)], (0, 13324, 8180)),
        ([(0, 0, 511, 511)], [], (196, 13128, 8180)),
        ([(100, 100, 108, 150)], [], (0, 13388, 8116)),
        ([(100, 100, 109, 150)], [], (1, 13387, 8116)),
    ],
)
def test_labels_of_the_original(anchors, considered, valid, ignored, expected):
    labels, _ = labels_of(anchors, considered, valid, ignored)
    assert counts(labels) == expected


def test_regression_targets_of_the_original(anchors, considered):
    _, matched = labels_of(anchors, considered, [G], [])
    gt = half_open(G)
    coder = DeltaXYWHBBoxCoder(target_means=[0.0] * 4, target_stds=[1.0] * 4)
    for base, row, col, box, target in [
        (8, 8, 8, (104, 104, 167, 167), (-0.0625, -0.0625, 0.0, 0.0)),
        (15, 7, 7, (98, 76, 141, 163), (0.2727, 0.1364, 0.3747, -0.3185)),
    ]:
        index = (row * 32 + col) * 21 + base
        assert torch.equal(anchors[index], half_open(box)[0])
        encoded = coder.encode(anchors[index : index + 1], gt[matched[0, index]][None])
        assert encoded[0].tolist() == pytest.approx(target, abs=1e-4)


def test_chip_transform_of_the_original(anchors, considered):
    box = (torch.tensor([120.0, 90.0, 159.0, 149.0]) - torch.tensor([100.5, 60.25, 100.5, 60.25])) * 2.5
    box = box.round().clamp(0, 511)
    assert box.tolist() == [49, 74, 146, 222]
    labels, _ = labels_of(anchors, considered, [box.tolist()], [])
    assert counts(labels)[0] == 47


def sampled(labels, *args):
    """Labels (B, A) of the drawn anchors, -1 elsewhere; none may be drawn twice."""
    index, drawn, positives = sample_anchors(labels, *args)
    assert (drawn[:, :positives] != 0).all() and (drawn[:, positives:] != 1).all()
    for row, keep in zip(index, drawn >= 0, strict=True):
        assert len(row[keep].unique()) == int(keep.sum())
    assert (labels.gather(1, index) == drawn)[drawn >= 0].all()
    result = torch.full_like(labels, -1)
    for row, chosen, label in zip(result, index, drawn, strict=True):
        row[chosen[label >= 0]] = label[label >= 0]
    return result


def test_sampling_fills_up_with_negatives(anchors, considered):
    labels, _ = labels_of(anchors, considered, [(0, 0, 511, 511)], [])
    assert counts(sampled(labels, 256, 0.5))[:2] == (128, 128)


def test_sampling_batches_of_few_positives(anchors, considered):
    one, _ = labels_of(anchors, considered, [G], [])
    none, _ = labels_of(anchors, considered, [], [])
    drawn = sampled(torch.cat([one, none]), 256, 0.5)
    assert counts(drawn[0])[:2] == (9, 247)
    assert counts(drawn[1])[:2] == (0, 256)
    assert torch.equal(drawn[0] == 1, one[0] == 1)


def test_sampling_when_all_is_ignored():
    assert (sampled(torch.full((1, 300), -1, dtype=torch.int8), 256, 0.5) == -1).all()


def test_a_crowd_is_labeled_like_box_by_box():
    """More boxes than are compared at once, against the rule written out."""
    generator = torch.Generator().manual_seed(0)
    corner, side = torch.rand(150, 2, generator=generator) * 400, 12 + torch.rand(150, 2, generator=generator) * 90
    gt, ignored = torch.cat([corner, corner + side], 1)[:90], torch.cat([corner, corner + side], 1)[90:]
    anchors = RoundedAnchorGenerator(strides=[16], ratios=[0.5, 1, 2], scales=[2, 4]).grid_priors(
        [(32, 32)], device="cpu"
    )[0]
    everywhere = torch.ones(len(anchors), dtype=torch.bool)
    labels, matched = label_anchors(anchors, everywhere, pad([gt]), pad([ignored]))
    iou, lost = bbox_overlaps(anchors, gt), bbox_overlaps(anchors, ignored).amax(1) > 0.3
    positive = (iou.amax(1) >= 0.5) | ((iou == iou.amax(0)) & (iou.amax(0) > 0)).any(1)
    expected = torch.where(positive, 1, torch.where(iou.amax(1) < 0.4, 0, -1)).masked_fill(lost, -1)
    assert torch.equal(labels[0].long(), expected)
    assert torch.equal(iou[torch.arange(len(anchors)), matched[0]], iou.amax(1))
