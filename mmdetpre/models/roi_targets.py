"""What the second stage learns from the regions of interest of a batch of chips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from torch import Tensor

from mmdetpre.models.instances import area_range, boxes_of, group_of, large_enough, on_device, pad
from mmdetpre.models.overlaps import areas, inside, iou

_FILLER = 16.0  # pixels


class RoITargets(NamedTuple):
    """Targets of regions (..., R, 4)."""

    labels: Tensor
    """(..., R) int64, the background being ``num_classes``."""
    weights: Tensor
    """(..., R) float, weight of the classification loss."""
    gt_boxes: Tensor
    """(..., R, 4) box to regress to; the region itself where it is background."""
    objects: Tensor
    """(..., R) int64 number of the best box among ``gt``; of a chip those in its valid range come first."""


def add_gt_to_proposals(
    proposals: Tensor, gt: Tensor, area_limits: tuple[Tensor, Tensor], num_rois: int
) -> tuple[Tensor, Tensor]:
    """Proposals plus the ground truth whose area lies in the chip's valid range, ground truth last.

    Ground truth takes the places of the lowest ranked proposals.

    Args:
        proposals: (B, P, 4) xyxy in chip pixels, best first; zeros are none.
        gt: (B, G, 4); zeros are none.
        area_limits: Smallest and largest area, each (B, 1), in square pixels of the chip.
        num_rois: Places R of each chip; all P + G if these are fewer.

    Returns:
        Regions (B, R, 4), and a mask (B, R) of the places that are taken: the first ones.
    """
    area, (low, high) = areas(gt), area_limits
    taken = (area >= low) & (area <= high) & (area > 0)
    taken &= taken.cumsum(dim=1) <= num_rois
    rank = torch.arange(proposals.shape[1], device=gt.device)
    fits = (areas(proposals) > 0) & (rank < num_rois - taken.sum(dim=1, keepdim=True))
    taken = torch.cat([fits, taken], dim=1)
    order = taken.byte().argsort(dim=1, descending=True, stable=True)[:, :num_rois]
    return torch.cat([proposals, gt], dim=1).take_along_dim(order[..., None], dim=1), taken.gather(1, order)


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
    """Assigns every region of a chip, or of each chip of a batch, to its best box.

    Args:
        rois: (..., R, 4) xyxy in chip pixels.
        gt: (..., G, 4) boxes, in and out of the valid range; zeros are none, but G is at least 1.
        gt_labels: (..., G) int64 classes.
        gt_invalid: (..., G) bool, boxes out of the valid range.
        groups: (..., K, 4) group-of boxes: background inside one of them (intersection over region >
            ``group_iof_thr``) gets weight 0. Zeros are none, but K is at least 1.
        num_classes: Label of the background.
        pos_iou_thr: Regions with a higher IoU (strictly) take the class of their best box.
        group_iof_thr: See ``groups``.
        ignore_invalid_gt: Give weight 0 to regions whose best box is out of the valid range (as SNIP's text says)
            instead of learning it.
        soft_sampling: Weight background by its overlap ``o`` with the nearest object:
            ``0.25 + 0.75 * exp(-50 * exp(-20 * o))`` (Soft Sampling, for incompletely labeled data).

    Example:
        >>> box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
        >>> one, none = torch.tensor([3]), torch.tensor([False])
        >>> assign_rois(box, box, one, none, torch.zeros(1, 4), num_classes=5).labels
        tensor([3])
    """
    overlap, index = iou(rois, gt).max(dim=-1)
    positive = overlap > pos_iou_thr
    labels = gt_labels.gather(-1, index).masked_fill_(~positive, num_classes)
    gt_boxes = torch.where(positive[..., None], gt.take_along_dim(index[..., None], dim=-2), rois)
    weights = torch.ones_like(overlap)
    if ignore_invalid_gt:
        weights = weights.masked_fill_(positive & gt_invalid.gather(-1, index), 0.0)
    background = labels == num_classes
    if soft_sampling:
        weights = torch.where(background, 0.25 + 0.75 * torch.exp(-50 * torch.exp(-20 * overlap)), weights)
    in_group = (inside(rois, groups) > group_iof_thr).any(dim=-1)
    return RoITargets(labels, weights.masked_fill_(in_group & background, 0.0), gt_boxes, index)


@torch.no_grad()
def batch_targets(
    proposals: Sequence[Tensor], samples: Sequence[DetDataSample], num_classes: int, cfg: ConfigDict
) -> tuple[Tensor, RoITargets]:
    """Regions of a batch of chips, their proposals and ground truth, and what they are to learn.

    How many boxes of a chip lie in its range is known to the device alone. So that the host need not wait, there is
    room for all of them, and a chip has at least one region: places that are not taken have weight 0.

    Args:
        proposals: (P, 4) of each chip, xyxy in its pixels, best first.
        samples: The chips: ``gt_instances`` in their valid range, ``ignored_instances`` out of it or groups
            (``group_of``), and ``valid_range`` in their meta information.
        num_classes: Label of the background.
        cfg: ``num_rois``, ``min_gt_side``, ``pos_iou_thr``, ``group_iof_thr``, ``ignore_invalid_gt``, ``soft_sampling``
            (see :func:`add_gt_to_proposals` and :func:`assign_rois`).

    Returns:
        Regions (R, 5) with the number of their chip, chip by chip, and their targets.
    """
    valid, ignored = [s.gt_instances for s in samples], [s.ignored_instances for s in samples]
    gt, out_of_range = (pad([boxes_of(instances) for instances in part]) for part in (valid, ignored))
    group = pad([group_of(instances) for instances in ignored])[..., None]
    labels = torch.cat([pad([instances.labels for instances in part]) for part in (valid, ignored)], dim=1)
    invalid = (torch.arange(labels.shape[1], device=labels.device) >= gt.shape[1]).expand_as(labels)
    gt, groups = torch.cat([gt, out_of_range * ~group], dim=1), out_of_range * group
    gt = gt * large_enough(gt, cfg.min_gt_side)[..., None]
    area_limits = area_range([s.metainfo for s in samples], gt.device)
    rois, taken = add_gt_to_proposals(pad(proposals), gt, area_limits, cfg.num_rois)
    rois[..., 2:] += _FILLER * ~taken[..., None]  # no side of 0: its logarithm is a target, of weight 0
    targets = assign_rois(
        rois,
        gt,
        labels,
        invalid,
        groups,
        num_classes=num_classes,
        pos_iou_thr=cfg.pos_iou_thr,
        group_iof_thr=cfg.group_iof_thr,
        ignore_invalid_gt=cfg.ignore_invalid_gt,
        soft_sampling=cfg.soft_sampling,
    )
    targets = targets._replace(weights=targets.weights * taken)
    most = np.array([sum(map(len, parts)) for parts in zip(proposals, valid, ignored, strict=True)])
    places = np.arange(rois.shape[1]) < np.maximum(most, 1)[:, None]
    rows = on_device(np.flatnonzero(places), rois.device)
    chip = torch.arange(len(samples), device=rois.device)[:, None, None].expand(-1, rois.shape[1], 1)
    rois = torch.cat([chip, rois], dim=2).flatten(0, 1)[rows]
    return rois, RoITargets(*(t.flatten(0, 1)[rows] for t in targets))
