"""SNIPER with a mask head: what its masks learn from, and masks at several scales."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from mmdetpre.datasets import ChipDataset, ChipMiningSampler
from mmdetpre.models import MultiScaleTTA


@pytest.fixture(autouse=True, scope="module")
def _mmdet_scope():
    init_default_scope("mmdet")


@pytest.fixture(scope="module")
def cfg(repository, tiny_coco):
    config = Config.fromfile(repository / "configs" / "det" / "sniper_mask_coco_sample.py")
    config.train_dataloader.dataset.dataset.data_root = f"{tiny_coco}/"
    return config


def build(cfg, device, **head):
    init_default_scope("mmdet")
    torch.manual_seed(0)
    settings = copy.deepcopy(cfg.model)
    settings.roi_head.bbox_head.init_cfg = dict(type="Normal", layer="Linear", std=0.05)
    settings.roi_head.mask_head.update(head)
    model = MODELS.build(settings)
    model.init_weights()
    return model.to(device)


@pytest.fixture(scope="module")
def chips(cfg):
    init_default_scope("mmdet")
    data = cfg.train_dataloader.dataset
    dataset = ChipDataset(data.dataset, data.chips, data.pipeline)
    records = list(ChipMiningSampler(dataset, seed=0))[:6]
    return pseudo_collate([dataset[record] for record in records])


def losses_of(model, chips, change=lambda sample: None):
    data = model.data_preprocessor(copy.deepcopy(chips), True)
    for sample in data["data_samples"]:
        change(sample)
    torch.manual_seed(1)
    return model.loss(data["inputs"], data["data_samples"])


def without_objects(sample):
    sample.gt_instances = sample.gt_instances[:0]


def of_unknown_masks(sample):
    sample.gt_instances.masks.masks[:] = 0


def test_masks_of_positives_are_learned_and_of_nothing_else(cfg, chips, device):
    model = build(cfg, device).train()
    losses = losses_of(model, chips)
    assert 0.1 < float(losses["loss_mask"]) < 10
    losses["loss_mask"].backward()
    for name, parameter in model.roi_head.mask_head.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert model.roi_head.conv_proj.weight.grad.abs().sum() > 0
    for change in (without_objects, of_unknown_masks):  # out of range, negative chips; annotations without outline
        model.zero_grad()
        losses = losses_of(model, chips, change)
        losses["loss_mask"].backward()
        assert float(losses["loss_mask"].detach()) == 0 and losses["loss_cls"] > 0
        assert all(part.grad is not None for part in model.roi_head.mask_head.parameters())
        assert model.roi_head.mask_head.conv_logits.weight.grad.abs().sum() == 0
    assert losses["positive_rois"] > 0


def test_the_loss_is_the_mean_over_the_regions_that_learn(cfg, chips, device):
    few, many = build(cfg, device).train(), build(cfg, device).train()
    many.roi_head.train_cfg.mask_rois = 100  # more than there are: none is left out, and the others do not count
    few.roi_head.train_cfg.mask_rois = 99
    found = [float(losses_of(model, chips)["loss_mask"].detach()) for model in (few, many)]
    assert found[0] == pytest.approx(found[1], rel=1e-4) and found[0] > 0


def test_other_losses_are_those_of_the_detector_without_masks(cfg, chips, device):
    model = build(cfg, device).train()
    expected = losses_of(model, chips)
    model.zero_grad()
    model.load_state_dict(build(cfg, device).state_dict())
    model.roi_head.mask_head = None
    found = losses_of(model, chips)
    assert set(expected) - set(found) == {"loss_mask"}
    assert all(torch.equal(expected[name], found[name]) for name in ("loss_cls", "loss_bbox", "positive_rois"))


@pytest.mark.parametrize(
    "change,message",
    [
        (dict(num_classes=5), "mask_head.num_classes is 5 and bbox_head.num_classes 8"),
        (dict(in_channels=32), "mask_head.in_channels=32"),
    ],
)
def test_parts_that_do_not_fit_are_named(cfg, change, message):
    with pytest.raises(ValueError, match=message):
        build(cfg, "cpu", **change)


def views_of(path, scales, flips=()):
    init_default_scope("mmdet")
    views = [[dict(type="Resize", scale=scale, keep_ratio=True) for scale in scales]]
    if flips:
        views.append([dict(type="RandomFlip", prob=float(flip)) for flip in flips])
    steps = [
        dict(type="LoadImageFromFile"),
        dict(type="TestTimeAug", transforms=[*views, [dict(type="PackDetInputs")]]),
    ]
    return pseudo_collate([Compose(steps)(dict(img_path=str(path), img_id=1))])


def detect(model, data):
    with torch.no_grad():
        return model.test_step(copy.deepcopy(data))[0].cpu().pred_instances


@pytest.mark.parametrize("flip", [0, 1])
def test_masks_of_one_view_are_those_of_the_detector(cfg, tiny_coco, device, flip):
    path = sorted((tiny_coco / "val2017").glob("*"))[0]
    tta = MultiScaleTTA(cfg.model, merge=dict(type="nms", iou_threshold=0.3), max_per_img=20).eval()
    tta.module.load_state_dict(build(cfg, "cpu").state_dict())
    tta.to(device)
    data = views_of(path, [(320, 240)], [flip])
    kept = detect(tta, data)
    alone = detect(tta.module, dict(inputs=data["inputs"][0], data_samples=data["data_samples"][0]))
    width = alone.masks.shape[2]
    if flip:
        alone.masks = alone.masks.flip(-1)
        alone.bboxes = torch.stack([width - alone.bboxes[:, 2], alone.bboxes[:, 1], width - alone.bboxes[:, 0],
                                    alone.bboxes[:, 3]], dim=1)  # fmt: skip
    assert 5 < len(kept) < len(alone) and kept.masks.any()
    for box, label, mask in zip(kept.bboxes, kept.labels, kept.masks, strict=True):
        same = (alone.labels == label) & ((alone.bboxes - box).abs().amax(dim=1) < 1e-3)
        different = (alone.masks[same] != mask).float().mean(dim=(1, 2))
        assert len(different) and different.min() < 1e-3


def test_each_mask_comes_from_the_scale_of_its_box(cfg, tiny_coco, device):
    path = sorted((tiny_coco / "val2017").glob("*"))[0]
    scales, ranges = [(320, 240), (160, 120)], [(-1, 60), (40, -1)]
    tta = MultiScaleTTA(cfg.model, ranges, merge=dict(type="nms", iou_threshold=0.3), max_per_img=200).eval()
    tta.module.load_state_dict(build(cfg, "cpu").state_dict())
    kept = detect(tta.to(device), views_of(path, scales))
    assert set(kept.scales.tolist()) == {0, 1} and kept.masks.shape == (len(kept), 192, 256)
    for number, scale in enumerate(scales):
        only = [(-1, -1)]
        single = MultiScaleTTA(tta.module, only, merge=dict(type="nms", iou_threshold=0.999), max_per_img=None)
        found = detect(single, views_of(path, [scale]))
        for box, label, mask in zip(
            *(kept[kept.scales == number].get(k) for k in ("bboxes", "labels", "masks")), strict=True
        ):
            same = (found.labels == label) & ((found.bboxes - box).abs().amax(dim=1) < 1e-3)
            assert (found.masks[same] != mask).float().mean(dim=(1, 2)).min() < 1e-3


def test_nothing_detected_gives_no_masks(cfg, tiny_coco, device):
    path = sorted((tiny_coco / "val2017").glob("*"))[0]
    tta = MultiScaleTTA(cfg.model, merge=dict(type="nms", iou_threshold=0.3, min_score=0.999)).eval().to(device)
    assert detect(tta, views_of(path, [(160, 120)])).masks.shape == (0, 192, 256)


def test_mask_heads_of_another_kind_are_refused():
    class Other(torch.nn.Module):
        with_mask = True

        def test_step(self, data):
            return data

    with pytest.raises(ValueError, match="masks of detectors such as Mask R-CNN.*head of Other is another"):
        MultiScaleTTA(Other())


def test_mask_rois_are_asked_for(cfg):
    settings = copy.deepcopy(cfg.model)
    settings.train_cfg.rcnn.pop("mask_rois")
    init_default_scope("mmdet")
    with pytest.raises(ValueError, match="no train_cfg.rcnn.mask_rois"):
        MODELS.build(settings)
