"""Narrow copies of the full-size models, and one step of training and of testing with batches of their own sizes.

The structure stays that of the config: depth, dilation, deformable convolutions, heads and losses; channels are a
sixteenth, images are small. So every config can be walked through on a CPU. ``narrow_config`` of ``conftest.py`` is
this module as a fixture.
"""

from __future__ import annotations

import copy
import functools
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch import nn

from mmdetpre.analysis.features.batches import CROP
from mmdetpre.analysis.mask_out.mask_out import BATCH, BATCH_GPU, MASK, STRIDE, mask_positions
from mmdetpre.backbones import named_backbone, on_backbone, with_chosen_backbone

WIDTH = 4
"""Channels of the first stage, 64 in the full models."""
SIDE = 64
"""Side of the images in pixels."""
RANKS = (1, 8)
IMAGES = {
    ("mmdetpre.Caltech256", "train"): 15_420,
    ("mmdetpre.Caltech256", "test"): 15_187,
    ("mmdetpre.SUN397", "train"): 19_850,
    ("mmdetpre.SUN397", "test"): 19_850,
    ("mmdetpre.Flowers102", "trainval"): 2_040,
    ("mmdetpre.Flowers102", "test"): 6_149,
    ("ImageNet", "train"): 1_281_167,
    ("ImageNet", "val"): 50_000,
}
"""Images of the data sets whose last batch may be smaller than the others, Table 1 of the paper."""


def narrow(cfg: Config) -> ConfigDict:
    """The config's model with a sixteenth of its channels, without weights from elsewhere.

    A backbone by name is as wide as ever; neck and heads are thin.
    """
    cfg = copy.deepcopy(cfg)
    name = cfg.model.backbone.pop("name", None)
    model = _thin(with_chosen_backbone(cfg).model.to_dict())
    backbone = model["backbone"]
    backbone |= {"base_channels": WIDTH, "stem_channels": WIDTH, "init_cfg": None}
    for augment in model.get("data_preprocessor", {}).get("batch_augments") or []:
        augment["size"] = (SIDE, SIDE)
    cfg.model = ConfigDict(model)
    return cfg.model if name is None else on_backbone(cfg, named_backbone(name)).model


def _thin(node: Any, key: str = "") -> Any:
    if isinstance(node, dict):
        return {name: _thin(value, name) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_thin(value, key) for value in node)
    if key.endswith("channels") and isinstance(node, int):
        assert node % (64 // WIDTH) == 0, f"{key}={node} cannot be narrowed"
        return node * WIDTH // 64
    return node


def batch_sizes(cfg: Config, part: str) -> set[int]:
    """Images per step on one rank that the loader of a part ("train", "val", "test") gives, on 1 and on 8 ranks.

    The last batch of an epoch has what is left. Chips are mined anew for every epoch: what is left may be a single one.
    """
    loader = cfg.get(f"{part}_dataloader")
    if not loader:
        return set()
    size, kind = loader.batch_size, loader.sampler.type
    if size == 1 or kind == "InfiniteSampler" or loader.get("drop_last"):
        return {size}
    if kind == "mmdetpre.ChipMiningSampler":
        return {size, 1}
    assert kind == "DefaultSampler", f"{kind} is new: say here which batches it gives"
    images = IMAGES[loader.dataset.type, loader.dataset.split]
    per_rank = [math.ceil(images / ranks) for ranks in RANKS]
    return {size} | {count % size for count in per_rank if count % size}


def mask_out_batches() -> set[int]:
    """Batches of Figure 9 in its default settings: 484 positions of the square, 8 or 64 together."""
    positions = len(mask_positions(CROP, MASK, STRIDE)) ** 2
    return {size for batch in (BATCH, BATCH_GPU) for size in (batch, positions % batch)} - {0}


def cases(cfg: Config) -> Iterator[tuple[str, str, int]]:
    """(step, key, images) of all that a config has to do; equal keys stand for equal work."""
    model, optimizer = (json.dumps(part.to_dict(), sort_keys=True) for part in (narrow(cfg), cfg.optim_wrapper))
    scope = cfg.get("default_scope", "mmdet")
    for size in batch_sizes(cfg, "train"):
        yield "train", json.dumps([scope, model, optimizer]), size
    tested = batch_sizes(cfg, "val") | batch_sizes(cfg, "test")
    for size in tested | (mask_out_batches() if scope == "mmpretrain" else set()):
        yield "test", json.dumps([scope, model, None]), size
    if cfg.get("tta_model"):
        yield "tta", json.dumps([scope, model, cfg.tta_model.to_dict()]), 1


def run_case(step: str, key: str, images: int) -> None:
    """Do what :func:`cases` names, and look at what comes out."""
    scope, model, other = json.loads(key)
    with DefaultScope.overwrite_default_scope(scope):
        torch.manual_seed(images)
        if step == "train":
            _train(_built(scope, model), scope, json.loads(other), images)
        elif step == "test":
            _test(_built(scope, model), scope, images)
        else:
            _test_scales(_built(scope, model), other, images)


@functools.lru_cache(maxsize=2)
def _built(scope: str, model: str) -> nn.Module:
    return MODELS.build(ConfigDict(json.loads(model)))


def _train(model: nn.Module, scope: str, optimizer: dict, images: int) -> None:
    """One step; every parameter that is to be trained gets a finite gradient, and no other."""
    wrapper = build_optim_wrapper(model.train(), ConfigDict(optimizer))
    wrapper.zero_grad()
    data = model.data_preprocessor(draw(model, scope, images), True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    wrapper.backward(loss)
    for name, value in model.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name
        assert value.grad is None or value.grad.isfinite().all(), name
    wrapper.step()
    assert all(value.isfinite().all() for value in model.parameters())


@torch.no_grad()
def _test(model: nn.Module, scope: str, images: int) -> None:
    found = model.eval().test_step(draw(model, scope, images))
    assert len(found) == images
    for sample in found:
        if scope == "mmdet":
            assert sample.pred_instances.bboxes.isfinite().all()
        elif scope == "mmseg":
            assert sample.pred_sem_seg.data.shape == (1, SIDE, SIDE)
        else:
            assert abs(float(sample.pred_score.sum()) - 1) < 1e-4


@torch.no_grad()
def _test_scales(model: nn.Module, tta: dict, images: int) -> None:
    views = [draw(model, "mmdet", images) for _ in tta["test_ranges"] or range(3)]
    data = {key: [view[key] for view in views] for key in ("inputs", "data_samples")}
    found = MODELS.build(ConfigDict(tta), default_args={"module": model}).eval().test_step(data)
    assert len(found) == images and all(one.pred_instances.bboxes.isfinite().all() for one in found)


def draw(model: nn.Module, scope: str, images: int) -> dict[str, list]:
    """A batch of noise with random truth, as the loaders collate it."""
    pixels = [torch.randint(0, 255, (3, SIDE, SIDE), dtype=torch.uint8) for _ in range(images)]
    sample = {"mmdet": _detection_sample, "mmseg": _segmentation_sample, "mmpretrain": _class_sample}[scope]
    return {"inputs": pixels, "data_samples": [sample(model) for _ in range(images)]}


def _classes(model: nn.Module) -> int:
    counts = {head.num_classes for head in model.modules() if isinstance(getattr(head, "num_classes", None), int)}
    return min(counts - {1}, default=1)


def _detection_sample(model: nn.Module) -> DetDataSample:
    size = {"img_shape": (SIDE, SIDE), "ori_shape": (SIDE, SIDE), "scale_factor": (1.0, 1.0)}
    sample = DetDataSample(metainfo={**size, "img_id": 0, "flip": False, "valid_range": (0.0, float(SIDE))})
    corner = torch.rand(3, 2) * SIDE / 3
    boxes = torch.cat([corner, corner + SIDE / 3 + torch.rand(3, 2) * SIDE / 4], dim=1)
    labels = torch.randint(_classes(model), (3,))
    sample.gt_instances = InstanceData(bboxes=boxes[:2], labels=labels[:2])
    if getattr(model, "with_mask", False):
        masks = np.zeros((2, SIDE, SIDE), np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes[:2].int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances.masks = BitmapMasks(masks, SIDE, SIDE)
    sample.ignored_instances = InstanceData(bboxes=boxes[2:], labels=labels[2:], group_of=torch.zeros(1).bool())
    return sample


def _segmentation_sample(model: nn.Module) -> SegDataSample:
    labels = torch.randint(_classes(model), (1, SIDE, SIDE))
    labels[0, :3] = 255
    size = {name: (SIDE, SIDE) for name in ("img_shape", "ori_shape", "pad_shape")}
    return SegDataSample(gt_sem_seg=PixelData(data=labels), metainfo=size)


def _class_sample(model: nn.Module) -> DataSample:
    return DataSample(metainfo={"img_shape": (SIDE, SIDE)}).set_gt_label(int(torch.randint(_classes(model), (1,))))
