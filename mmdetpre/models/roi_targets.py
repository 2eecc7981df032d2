"""What the second stage learns from each region of interest of a chip."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import ConfigDict
from torch import Tensor

from mmdetpre.models.instances import boxes_of, large_enough


class RoITargets(NamedTuple):
    """Targets of the R regions of one chip."""

    labels: Tensor
    """(R,) int64, the background being ``num_classes``."""
    weights: Tensor
    """(R,) float, weight of the classification loss."""
    gt_boxes: Tensor
    """(R, 4) box to regress to; the region itself where it is background."""


def add_gt_to_proposals(proposals: Tensor, gt: Tensor, valid_range: tuple[float, float], num_rois: int) -> Tensor:
    """Proposals (P, 4) plus the ground truth (G, 4) whose ``sqrt(area)`` lies in the chip's valid range (chip pixels).

    At most ``num_rois`` regions are returned; ground truth takes the places of the lowest ranked proposals.
    """
    low, high = valid_range
    area = (gt[:, 2:] - gt[:, :2]).prod(dim=1)
    gt = gt[(area >= low**2) & (area <= high**2)][:num_rois]
    return torch.cat([proposals[: num_rois - len(gt)], gt])


def assign_rois(
    rois: Tensor,
    gt: Tensor,
    gt_labels: Tensor,
    gt_invalid: Tensor,
    groups: Tensor,
    num_classes: int,
    pos_iou_thr: float = 0.5,
    group_iof_thr: float = 0.9,
    ignore_invalid_gt: bool = False,
    soft_sampling: bool = False,
) -> RoITargets:
    """Assigns every region of a chip to its best box.

    Args:
        rois: (R, 4) xyxy in chip pixels.
        gt: (G, 4) boxes, in and out of the valid range; ``gt_labels`` (G,) int64; ``gt_invalid`` (G,) bool marks those
            out of the range.
        groups: (K, 4) group-of boxes: background inside one of them (intersection over region > ``group_iof_thr``) gets
            weight 0.
        pos_iou_thr: Regions with a higher IoU (strictly) take the class of their best box.
        ignore_invalid_gt: Give weight 0 to regions whose best box is out of the valid range (as SNIP's text says)
            instead of learning it.
        soft_sampling: Weight background by its overlap ``o`` with the nearest object:
            ``0.25 + 0.75 * exp(-50 * exp(-20 * o))`` (Soft Sampling, for incompletely labelled data).

    Example:
        >>> box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
        >>> one, none = torch.tensor([3]), torch.tensor([False])
        >>> assign_rois(box, box, one, none, box[:0], num_classes=5).labels
        tensor([3])
    """
    count = len(rois)
    labels = rois.new_full((count,), num_classes, dtype=torch.long)
    weights = rois.new_ones(count)
    gt_boxes = rois.clone()
    overlap = rois.new_zeros(count)
    if len(gt):
        overlap, index = bbox_overlaps(rois, gt).max(dim=1)
        positive = overlap > pos_iou_thr
        labels = torch.where(positive, gt_labels[index], labels)
        gt_boxes = torch.where(positive[:, None], gt[index], gt_boxes)
        if ignore_invalid_gt:
            weights = weights.masked_fill(positive & gt_invalid[index], 0.0)
    background = labels == num_classes
    if soft_sampling:
        weights = torch.where(background, 0.25 + 0.75 * torch.exp(-50 * torch.exp(-20 * overlap)), weights)
    if len(groups):
        inside = bbox_overlaps(rois, groups, mode="iof").amax(dim=1) > group_iof_thr
        weights = weights.masked_fill(inside & background, 0.0)
    return RoITargets(labels, weights, gt_boxes)


@torch.no_grad()
def chip_targets(
    proposals: Tensor, sample: DetDataSample, num_classes: int, cfg: ConfigDict
) -> tuple[Tensor, RoITargets]:
    """Regions (R, 4) of one chip, its proposals and ground truth, and what they are to learn.

    Args:
        proposals: (P, 4) xyxy in chip pixels, best first.
        sample: The chip: ``gt_instances`` in its valid range, ``ignored_instances`` out of it or groups
            (``group_of``), and ``valid_range`` in its meta information.
        num_classes: Label of the background.
        cfg: ``num_rois``, ``min_gt_side``, ``pos_iou_thr``, ``group_iof_thr``, ``ignore_invalid_gt``, ``soft_sampling``
            (see :func:`add_gt_to_proposals` and :func:`assign_rois`).
    """
    ignored = sample.ignored_instances
    out_of_range = boxes_of(ignored)
    group = ignored.get("group_of", torch.zeros(len(ignored), dtype=torch.bool)).to(out_of_range.device)
    gt = torch.cat([boxes_of(sample.gt_instances), out_of_range[~group]])
    labels = torch.cat([sample.gt_instances.labels, ignored.labels[~group]])
    invalid = torch.arange(len(gt), device=gt.device) >= len(sample.gt_instances)
    large = large_enough(gt, cfg.min_gt_side)
    gt, labels, invalid = gt[large], labels[large], invalid[large]
    rois = add_gt_to_proposals(proposals, gt, sample.metainfo["valid_range"], cfg.num_rois)
    return rois, assign_rois(
        rois,
        gt,
        labels,
        invalid,
        groups=out_of_range[group],
        num_classes=num_classes,
        pos_iou_thr=cfg.pos_iou_thr,
        group_iof_thr=cfg.group_iof_thr,
        ignore_invalid_gt=cfg.ignore_invalid_gt,
        soft_sampling=cfg.soft_sampling,
    )
