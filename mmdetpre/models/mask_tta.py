"""Masks of what a test at several scales and flips keeps: each from the view that found the box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.detectors.two_stage import TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.structures import InstanceData
from torch import Tensor, nn

_FLIPPED = {"horizontal": [-1], "vertical": [-2], "diagonal": [-2, -1]}


class DetectedView(NamedTuple):
    """A view of a batch of images, with the boxes that a detector found there."""

    maps: tuple[Tensor, ...]
    """Maps (B, C, H, W) of the levels."""
    samples: list[DetDataSample]
    """One of each image; boxes in pixels of the original image, flipped where the view is."""


def predicts_masks(module: nn.Module) -> bool:
    """Whether a detector predicts masks.

    Raises:
        ValueError: If it does, but not as Mask R-CNN: from regions, all of them by one head.
    """
    if not getattr(module, "with_mask", False):
        return False
    head = getattr(module, "roi_head", None)
    standard = isinstance(head, StandardRoIHead) and type(head).predict_mask is StandardRoIHead.predict_mask
    if not isinstance(module, TwoStageDetector) or not standard:
        raise ValueError(
            f"MultiScaleTTA merges masks of detectors such as Mask R-CNN (StandardRoIHead, ChipRoIHead), and the mask"
            f" head of {type(module).__name__} is another: set model.roi_head.mask_head=None, or test without --tta."
        )
    return True


def detect_boxes(module: Any, view: dict) -> DetectedView:
    """Boxes in a view of a batch of images; masks are left for later.

    Args:
        module: The detector.
        view: ``inputs`` and ``data_samples`` of the images.
    """
    batch, head = module.data_preprocessor(view, False), module.roi_head
    samples = batch["data_samples"]
    maps = module.extract_feat(batch["inputs"])
    regions = module.rpn_head.predict(maps, samples, rescale=False)
    metas = [sample.metainfo for sample in samples]
    found = head.predict_bbox(maps, metas, regions, head.test_cfg, rescale=True)
    return DetectedView(maps, module.add_pred_to_datasample(samples, found))


def add_masks(module: Any, views: Sequence[DetectedView], image: int, kept: InstanceData) -> None:
    """Give the detections of an image their ``masks``, (n, H, W) bool in pixels of the original image.

    Args:
        module: The detector.
        views: The views of the batch.
        image: Number of the image in the batch.
        kept: ``bboxes`` (n, 4) in pixels of the original image, ``labels`` and ``views``, the number of the view that
            each box comes from.
    """
    head = module.roi_head
    parts, rows = [], []
    for number, (maps, samples) in enumerate(views):
        mine = (kept.views == number).nonzero()[:, 0]
        if not len(mine):
            continue
        meta, boxes = samples[image].metainfo, kept.bboxes[mine]
        flip = meta.get("flip_direction") if meta.get("flip", False) else None
        if flip:
            boxes = bbox_flip(boxes, meta["ori_shape"][:2], flip)
        boxes = boxes * boxes.new_tensor(meta["scale_factor"]).repeat(2)
        rois = torch.cat([boxes.new_full((len(boxes), 1), image), boxes], dim=1)
        found = head._mask_forward(maps, rois)["mask_preds"].float()
        parts.append(found.flip(_FLIPPED[flip]) if flip else found)
        rows.append(mine)
    logits = torch.cat(parts)[torch.cat(rows).argsort()] if parts else kept.bboxes.new_zeros(0)
    meta = {"ori_shape": views[0].samples[image].ori_shape, "scale_factor": (1.0, 1.0)}
    (found,) = head.mask_head.predict_by_feat((logits,), [kept], [meta], head.test_cfg, rescale=True)
    kept.masks = found.masks
