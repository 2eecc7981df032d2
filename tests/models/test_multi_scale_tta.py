"""MultiScaleTTA equals its steps done by hand, for SNIPER and for stock detectors, in batches and with flips."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmcv.ops import nms, soft_nms
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmdetpre.models import MultiScaleTTA

SCALES = [(160, 120), (96, 72)]
RANGES = [(-1, 60), (40, -1)]
BACKBONE = dict(type="ResNet", depth=18, base_channels=8, stem_channels=8, norm_cfg=dict(type="BN"))
FPN = dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5)
ANCHORS = dict(type="AnchorGenerator", scales=[4], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64])
CODER = dict(type="DeltaXYWHBBoxCoder")
PREPROCESSOR = dict(type="DetDataPreprocessor", mean=[127.0] * 3, std=[60.0] * 3, pad_size_divisor=32)
RETINANET = dict(
    type="RetinaNet",
    data_preprocessor=PREPROCESSOR,
    backbone=BACKBONE,
    neck=FPN,
    bbox_head=dict(
        type="RetinaHead",
        num_classes=3,
        in_channels=16,
        stacked_convs=1,
        feat_channels=16,
        anchor_generator=ANCHORS,
        bbox_coder=CODER,
        init_cfg=dict(type="Normal", std=0.3),
    ),
    test_cfg=dict(nms_pre=300, score_thr=0.3, nms=dict(type="nms", iou_threshold=0.5), max_per_img=50),
)
RPN = dict(
    type="RPN",
    data_preprocessor=PREPROCESSOR,
    backbone=BACKBONE,
    neck=FPN,
    rpn_head=dict(
        type="RPNHead",
        in_channels=16,
        feat_channels=16,
        anchor_generator=ANCHORS,
        bbox_coder=CODER,
        init_cfg=dict(type="Normal", std=0.3),
    ),
    train_cfg=None,
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0)),
)


def sniper(sample_config):
    cfg = sample_config().model
    cfg.roi_head.bbox_head.init_cfg = dict(type="Normal", layer="Linear", std=0.05)
    return cfg


def built(model, device, **options):
    init_default_scope("mmdet")
    torch.manual_seed(0)
    tta = MultiScaleTTA(model, **options).eval()
    tta.module.init_weights()
    return tta.to(device)


def pipeline(flips=()):
    views = [[dict(type="Resize", scale=scale, keep_ratio=True) for scale in SCALES]]
    if flips:
        views.append([dict(type="RandomFlip", prob=float(flip)) for flip in flips])
    init_default_scope("mmdet")
    return Compose(
        [dict(type="LoadImageFromFile"), dict(type="TestTimeAug", transforms=[*views, [dict(type="PackDetInputs")]])]
    )


@pytest.fixture(scope="module")
def photos(tiny_sample):
    return sorted(str(path) for path in (tiny_sample / "OpenImages" / "validation").glob("*"))[:2]


def views_of(photos, flips=()):
    transform = pipeline(flips)
    return pseudo_collate([transform(dict(img_path=path, img_id=i)) for i, path in enumerate(photos)])


def detected(tta, data):
    with torch.no_grad():
        return [sample.cpu() for sample in tta.test_step(copy.deepcopy(data))]


def alone(model, data, view):
    """Detections of one view by the detector itself."""
    batch = dict(inputs=data["inputs"][view], data_samples=data["data_samples"][view])
    with torch.no_grad():
        return [sample.pred_instances.cpu() for sample in model.test_step(copy.deepcopy(batch))]


def merged_by_hand(parts, ranges, limit):
    """Area filter, mmcv's soft-NMS of each class, the best of all classes: rows of box, score, label."""
    kept = []
    for part, (low, high) in zip(parts, ranges, strict=True):
        sides = (part.bboxes[:, 2:] - part.bboxes[:, :2]).numpy()
        area = sides[:, 0] * sides[:, 1]
        kept.append(part[torch.from_numpy((area > max(low, 0) ** 2) & (area <= (high if high > 0 else 1e9) ** 2))])
    found = InstanceData.cat(kept)
    rows = []
    for label in found.labels.unique():
        mine = found[found.labels == label]
        dets, _ = soft_nms(mine.bboxes, mine.scores, sigma=0.55, min_score=1e-3, method="gaussian", offset=0)
        rows.append(torch.cat([dets, label.float().expand(len(dets), 1)], dim=1))
    rows = torch.cat(rows).numpy()
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    return rows[rows[:, 4] >= rows[min(limit, len(rows)) - 1, 4]]


def rows_of(sample):
    found = sample.pred_instances
    return torch.cat([found.bboxes, found.scores[:, None], found.labels[:, None].float()], dim=1).numpy()


def assert_same_rows(found, expected):
    assert len(found) == len(expected) > 0
    order = [np.lexsort(rows.round(3).T[[0, 1, 5]]) for rows in (found, expected)]
    np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=2e-3)
    np.testing.assert_allclose(np.sort(found[:, 4]), np.sort(expected[:, 4]), atol=1e-5)


def test_sniper_equals_the_steps_by_hand(sample_config, photos, device):
    tta = built(sniper(sample_config), device, test_ranges=RANGES)
    data = views_of(photos[:1])
    parts = [alone(tta.module, data, view)[0] for view in range(2)]
    regions = 100  # of the RPN; nothing is suppressed inside a scale, and every class of a region may count
    assert len(parts[0]) > 2 * regions
    assert all((part.scores > 1e-3).all() for part in parts)
    (sample,) = detected(tta, data)
    assert_same_rows(rows_of(sample), merged_by_hand(parts, RANGES, 200))


@pytest.mark.parametrize("reference", [None, 128])
def test_retinanet_equals_the_steps_by_hand(photos, reference, device):
    tta = built(
        ConfigDict(copy.deepcopy(RETINANET)), device, test_ranges=RANGES, max_per_img=40, range_reference=reference
    )
    data = views_of(photos[:1])
    parts = [alone(tta.module, data, view)[0] for view in range(2)]
    assert all(0 < len(part) <= 50 for part in parts)  # its own suppression stays
    factor = 1 if reference is None else 256 / reference
    ranges = [(low * factor, high * factor) for low, high in RANGES]
    (sample,) = detected(tta, data)
    assert_same_rows(rows_of(sample), merged_by_hand(parts, ranges, 40))


def test_proposals_are_merged_by_hard_nms(photos, device):
    tta = built(ConfigDict(copy.deepcopy(RPN)), device, merge=dict(type="nms", iou_threshold=0.7), max_per_img=900)
    data = views_of(photos[:1])
    found = InstanceData.cat([alone(tta.module, data, view)[0] for view in range(2)])
    _, keep = nms(found.bboxes, found.scores, iou_threshold=0.7)
    expected = torch.cat([found.bboxes, found.scores[:, None]], dim=1)[keep].numpy()
    (sample,) = detected(tta, data)
    rows = rows_of(sample)
    assert len(found) > len(rows) > 50
    np.testing.assert_allclose(rows[:, :5], expected, rtol=1e-5, err_msg="the same boxes, best first")


@pytest.mark.parametrize("name", ["sniper", "retinanet"])
def test_a_batch_is_its_images_one_by_one(sample_config, photos, name, device):
    tta = built(
        sniper(sample_config) if name == "sniper" else ConfigDict(copy.deepcopy(RETINANET)), device, test_ranges=RANGES
    )
    batches = []
    step = tta.module.test_step
    tta.module.test_step = lambda data: (batches.append(len(data["inputs"])), step(data))[1]
    together = detected(tta, views_of(photos))
    assert batches == [2, 2]  # each scale once, with both images
    for path, sample in zip(photos, together, strict=True):
        (single,) = detected(tta, views_of([path]))
        assert sample.img_path == path
        np.testing.assert_allclose(sample.pred_instances.scores, single.pred_instances.scores, atol=1e-5)


class Recorded(torch.nn.Module):
    """Stands for a detector whose output is known: boxes in original pixels of the view it is given."""

    def __init__(self, boxes):
        super().__init__()
        self.boxes = boxes

    def test_step(self, data):
        for sample in data["data_samples"]:
            boxes = self.boxes
            if sample.get("flip"):
                width = sample.ori_shape[1]
                boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
            count = len(boxes)
            sample.pred_instances = InstanceData(
                bboxes=boxes, scores=torch.linspace(0.9, 0.5, count), labels=torch.zeros(count, dtype=torch.long)
            )
        return data["data_samples"]


@pytest.mark.parametrize("flips", [(1, 0), (0, 1)])
def test_flipped_views_are_mapped_back_and_get_the_range_of_their_scale(photos, flips):
    boxes = torch.tensor([[10.0, 20, 40, 60], [100, 10, 200, 150]])
    tta = MultiScaleTTA(Recorded(boxes), test_ranges=[(-1, 50), (50, -1)], merge=dict(type="nms", iou_threshold=0.99))
    data = views_of(photos[:1], flips)
    assert len(data["inputs"]) == 4
    (sample,) = detected(tta, data)
    assert sample.pred_instances.bboxes.tolist() == boxes.tolist()
    assert not sample.flip


def sample_at(scores, labels, **meta):
    sample = DetDataSample(metainfo=dict(ori_shape=(100, 100), **meta))
    box = torch.tensor([[10.0, 10, 30, 30]]).expand(len(scores), 4)
    sample.pred_instances = InstanceData(bboxes=box, scores=torch.tensor(scores), labels=torch.tensor(labels))
    return sample


def test_classes_suppress_each_other_only_where_asked():
    views = [[sample_at([0.9], [0]), sample_at([0.8], [1])]]
    for agnostic, expected in ((False, 2), (True, 1)):
        tta = MultiScaleTTA(Recorded(None), merge=dict(type="nms", iou_threshold=0.45), class_agnostic=agnostic)
        assert len(tta.merge_preds(views)[0].pred_instances) == expected


def test_nothing_detected_gives_an_empty_sample():
    empty = sample_at([], [])
    empty.pred_instances = InstanceData(
        bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long)
    )
    found = MultiScaleTTA(Recorded(None), test_ranges=RANGES).merge_preds([[empty, empty]])[0].pred_instances
    assert found.bboxes.shape == (0, 4) and len(found.scores) == len(found.labels) == 0


def test_number_of_scales_must_be_that_of_the_ranges(photos):
    tta = MultiScaleTTA(Recorded(torch.zeros(1, 4)), test_ranges=[(-1, 90), (32, 180), (75, -1)])
    with pytest.raises(ValueError, match="tta_pipeline has 2 scales but tta_model.test_ranges has 3 pairs"):
        detected(tta, views_of(photos[:1]))


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(merge=dict(type="softnms")), "'soft_nms', 'nms'"),
        (dict(merge=dict(type="nms", sigma=1)), r"unknown keys \['sigma'\]: known are iou_threshold, min_score"),
        (dict(merge=dict(type="soft_nms", sigma=0)), "sigma is 0"),
        (dict(max_per_img=0), "max_per_img is 0"),
        (dict(range_reference=0), "range_reference is 0"),
        (dict(test_ranges=[90, 180]), "one pair"),
        (dict(module_test_cfg=dict(score_thr=0.1)), "the detector is built"),
    ],
)
def test_settings_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        MultiScaleTTA(Recorded(None), **options)


def test_test_cfg_of_the_detector_can_be_changed(device):
    model = ConfigDict(copy.deepcopy(RETINANET))
    tta = built(model, device, module_test_cfg=dict(score_thr=0.7, nms=dict(iou_threshold=0.9)))
    assert (tta.module.test_cfg.score_thr, tta.module.test_cfg.nms.iou_threshold) == (0.7, 0.9)
    assert tta.module.test_cfg.nms_pre == 300 and model.test_cfg.score_thr == 0.3


@pytest.mark.parametrize("merge", [dict(type="soft_nms"), dict(type="nms", iou_threshold=0.45)])
def test_boxes_out_of_range_neither_count_nor_suppress(merge):
    generator = torch.Generator().manual_seed(0)
    corners = 100 * torch.rand(60, 2, generator=generator)
    boxes = torch.cat([corners, corners + 5 + 50 * torch.rand(60, 2, generator=generator)], dim=1)
    scores, labels = torch.rand(60, generator=generator), torch.randint(0, 3, (60,), generator=generator)
    mask = torch.rand(60, generator=generator) > 0.4
    tta = MultiScaleTTA(Recorded(None), merge=merge, max_per_img=20)
    found, expected = tta.suppress(boxes, scores, labels, mask), tta.suppress(boxes[mask], scores[mask], labels[mask])
    assert 0 < len(found) <= 20
    assert all(torch.equal(found[key], expected[key]) for key in ("bboxes", "scores", "labels"))


def test_each_detection_says_its_scale() -> None:
    boxes, labels = torch.tensor([[0.0, 0, 9, 9], [20, 20, 60, 60]]), torch.zeros(2, dtype=torch.long)
    scores, scales = torch.tensor([0.4, 0.9]), torch.tensor([0, 2])
    merged = MultiScaleTTA(Recorded(None)).suppress(boxes, scores, labels, scales=scales)
    assert merged.scales.tolist() == [2, 0] and merged.scores.tolist() == pytest.approx([0.9, 0.4])
