"""Out-of-range objects in the losses of mmdet's own detectors: neither positive nor negative."""

import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmdetpre.models.chip_assigner import ChipAssigner

SIZE = 128


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def instances(rows, **extra):
    return InstanceData(bboxes=boxes(*rows), labels=torch.zeros(len(rows), dtype=torch.long), **extra)


def assigned(assigner, priors, valid, ignored, **extra):
    ignored = instances(ignored, **extra) if ignored else None
    return assigner.assign(InstanceData(priors=boxes(*priors)), instances(valid), ignored).gt_inds.tolist()


LARGE, SMALL, ELSEWHERE = [0, 0, 100, 100], [40, 40, 60, 60], [110, 110, 128, 128]


@pytest.fixture
def assigner():
    return ChipAssigner(pos_iou_thr=0.5, neg_iou_thr=0.4)


def test_small_object_in_front_of_an_ignored_one_is_learned(assigner):
    priors = [SMALL, [2, 2, 98, 98], ELSEWHERE]
    assert assigned(assigner, priors, [SMALL], [LARGE]) == [1, -1, 0]
    stock = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.4, ignore_iof_thr=0.5)
    assert assigned(stock, priors, [SMALL], [LARGE])[0] == -1  # why the class exists


def test_ignored_objects_of_a_chip_without_valid_ones_are_not_background(assigner):
    priors = [[2, 2, 98, 98], ELSEWHERE]
    assert assigned(assigner, priors, [], [LARGE]) == [-1, 0]
    stock = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.4, ignore_iof_thr=0.5)
    assert assigned(stock, priors, [], [LARGE]) == [0, 0]


def test_crowds_take_what_lies_inside(assigner):
    group = torch.tensor([True])
    assert assigned(assigner, [SMALL, ELSEWHERE], [ELSEWHERE], [LARGE], group_of=group) == [-1, 1]
    assert assigned(assigner, [SMALL, ELSEWHERE], [ELSEWHERE], [LARGE], group_of=~group) == [0, 1]


def test_without_ignored_objects_it_is_the_parent(assigner):
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(200, 2, generator=generator) * 100
    priors = torch.cat([corner, corner + 5 + 40 * torch.rand(200, 2, generator=generator)], dim=1).tolist()
    stock = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.4)
    expected = assigned(stock, priors, priors[:5], [])
    assert assigned(assigner, priors, priors[:5], []) == expected
    assert {-1, 0, 1, 5} <= set(expected)


def sample(valid, ignored):
    sample = DetDataSample(
        metainfo=dict(img_shape=(SIZE, SIZE), pad_shape=(SIZE, SIZE), batch_input_shape=(SIZE, SIZE))
    )
    sample.gt_instances, sample.ignored_instances = instances(valid), instances(ignored)
    return sample


@pytest.fixture
def build(repository):
    def make(name):
        init_default_scope("mmdet")
        cfg = Config.fromfile(repository / "configs" / "det" / name)
        for part in (cfg.model.train_cfg, cfg.model.train_cfg.get("rpn", {}), cfg.model.train_cfg.get("rcnn", {})):
            if "num" in part.get("sampler", {}):
                part.sampler.num = 10**6  # label every prior: nothing is left to chance
        torch.manual_seed(0)
        return MODELS.build(cfg.model).train()

    return make


def score_gradients(head, data_sample):
    """Gradient of the loss by the scores of each anchor (A,), and the anchors (A, 4)."""
    strides = [stride[0] for stride in head.prior_generator.strides]
    sizes = [(-(-SIZE // stride), -(-SIZE // stride)) for stride in strides]
    per_anchor = head.cls_out_channels
    scores = [torch.full((1, head.num_base_priors * per_anchor, *size), 0.1, requires_grad=True) for size in sizes]
    deltas = [torch.zeros(1, head.num_base_priors * 4, *size, requires_grad=True) for size in sizes]
    losses = head.loss_by_feat(
        scores, deltas, [data_sample.gt_instances], [data_sample.metainfo], [data_sample.ignored_instances]
    )
    sum(sum(value) for value in losses.values()).backward()
    by_score, by_delta = (
        torch.cat([m.grad.permute(0, 2, 3, 1).reshape(-1, width).abs().sum(dim=1) for m in maps])
        for maps, width in ((scores, per_anchor), (deltas, 4))
    )
    return by_score, by_delta, torch.cat(head.prior_generator.grid_priors(sizes, device="cpu"))


@pytest.mark.parametrize(
    "name, head",
    [("retinanet_chips_coco_sample.py", "bbox_head"), ("faster_rcnn_r50_fpn_chips_coco_sample.py", "rpn_head")],
)
def test_anchors_on_an_out_of_range_object_get_no_gradient(build, name, head):
    head = getattr(build(name), head)
    valid, other = [16, 16, 40, 40], [60, 60, 116, 116]
    by_score, by_delta, anchors = score_gradients(head, sample([valid], [other]))
    on_other = head.assigner.on_ignored(anchors, instances([other]))
    assert on_other.sum() > 5
    assert (by_score[on_other] == 0).all() and (by_delta[on_other] == 0).all()
    assert (by_score[~on_other] > 0).float().mean() > 0.9
    assert (by_delta > 0).any()

    by_score, by_delta, _ = score_gradients(head, sample([valid], []))  # as background they would be negatives,
    assert (by_score[on_other] > 0).all() and (by_delta[on_other] == 0).all()
    _, by_delta, _ = score_gradients(head, sample([valid, other], []))  # and as an object positives
    assert (by_delta[on_other] > 0).any()


def test_proposals_on_an_out_of_range_object_are_not_sampled(build):
    model = build("faster_rcnn_r50_fpn_chips_coco_sample.py")
    valid, other = [16, 16, 40, 40], [60, 60, 116, 116]
    proposals = boxes(valid, other, [62, 58, 116, 110], [0, 80, 30, 120])
    taken = []
    model.roi_head.bbox_loss = lambda x, results: taken.extend(results) or dict(loss_bbox={})

    def learned(data_sample):
        taken.clear()
        model.roi_head.loss([torch.zeros(1, 1, 1, 1)], [InstanceData(bboxes=proposals)], [data_sample])
        positive, negative = (set(map(tuple, rows.tolist())) for rows in (taken[0].pos_priors, taken[0].neg_priors))
        return positive, negative

    first, second, third, fourth = map(tuple, proposals.tolist())
    assert learned(sample([valid], [other])) == ({first}, {fourth})
    assert learned(sample([], [other])) == (set(), {first, fourth})
    assert learned(sample([valid], [])) == ({first}, {second, third, fourth})
