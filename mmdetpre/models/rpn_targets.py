"""Labels of anchors on chips: what the region proposal network learns, and what it must not be punished for."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdetpre.models.overlaps import iou

_BOXES_AT_ONCE = 64
"""Bounds the memory of a crowded chip: overlaps are computed for so many boxes of each chip at a time."""


def label_anchors(
    anchors: Tensor,
    considered: Tensor,
    gt: Tensor,
    ignored: Tensor,
    pos_iou_thr: float = 0.5,
    neg_iou_thr: float = 0.4,
    ignore_iou_thr: float = 0.3,
) -> tuple[Tensor, Tensor]:
    """Labels the anchors of a batch of chips against valid and ignored boxes.

    An anchor is positive if its IoU with a valid box reaches ``pos_iou_thr`` or is the highest of that box, negative if
    all its IoUs are below ``neg_iou_thr``, else unlabeled. Whatever overlaps an ignored box (out of the valid range,
    or a group) by more than ``ignore_iou_thr`` is unlabeled in any case. Chips without valid boxes are all negative.

    Args:
        anchors: (A, 4) xyxy in chip pixels, half-open.
        considered: (A,) bool; others are unlabeled.
        gt: (B, G, 4) valid boxes, padded with zeros (:func:`mmdetpre.models.instances.pad`).
        ignored: (B, K, 4) boxes to ignore, padded likewise.
        pos_iou_thr: Minimum IoU of a positive anchor.
        neg_iou_thr: Negative anchors have only smaller IoUs.
        ignore_iou_thr: Anchors with a greater IoU with an ignored box are unlabeled.

    Returns:
        Labels (B, A) int8: 1 positive, 0 negative, -1 unlabeled; and the index (B, A) of the best valid box.

    Source: SNIP/SNIPER's label rule, used in section 3.1 of the paper.
    """
    batch, num = gt.shape[0], len(anchors)
    anchors = anchors * considered[:, None]  # a box of zeros overlaps nothing
    best = anchors.new_full((batch, num), -1.0)
    best_of_a_box = torch.zeros((batch, num), dtype=torch.bool, device=anchors.device)
    on_ignored = torch.zeros_like(best_of_a_box)
    matched = torch.zeros((batch, num), dtype=torch.long, device=anchors.device)
    for start in range(0, gt.shape[1], _BOXES_AT_ONCE):
        overlap = iou(gt[:, start : start + _BOXES_AT_ONCE], anchors)
        highest, index = overlap.max(dim=1)
        matched = torch.where(highest > best, index + start, matched)
        best = torch.maximum(best, highest)
        of_box = overlap.amax(dim=2, keepdim=True)
        best_of_a_box |= ((overlap == of_box) & (of_box > 0)).any(dim=1)
    for start in range(0, ignored.shape[1], _BOXES_AT_ONCE):
        on_ignored |= (iou(ignored[:, start : start + _BOXES_AT_ONCE], anchors) > ignore_iou_thr).any(dim=1)
    positive = best_of_a_box | (best >= pos_iou_thr)
    unlabeled = on_ignored | ~considered | ~(positive | (best < neg_iou_thr))
    return positive.to(torch.int8).masked_fill_(unlabeled, -1), matched


def sample_anchors(labels: Tensor, num: int = 256, pos_fraction: float = 0.5) -> tuple[Tensor, Tensor, int]:
    """Draws up to ``num`` labeled anchors per chip, positives first but at most ``pos_fraction`` of them.

    Args:
        labels: (B, A) int8 of :func:`label_anchors`.
        num: Maximum number of anchors of a chip.
        pos_fraction: Maximum share of positives among them.

    Returns:
        Indices (B, P + N) of anchors, their labels (B, P + N) int8, -1 where none was drawn, and P: the first P are
        positives. Uses torch's global generator and no host synchronisation.
    """
    keys = torch.rand(labels.shape, device=labels.device)
    max_pos = min(int(num * pos_fraction), labels.shape[1])
    pos_key, pos_index = keys.masked_fill(labels != 1, -1.0).topk(max_pos, dim=1)
    pos_mask = pos_key >= 0
    neg_key, neg_index = keys.masked_fill(labels != 0, -1.0).topk(min(num, labels.shape[1]), dim=1)
    quota = num - pos_mask.sum(dim=1, keepdim=True)
    neg_mask = (neg_key >= 0) & (torch.arange(neg_index.shape[1], device=labels.device) < quota)
    index, drawn = torch.cat([pos_index, neg_index], dim=1), torch.cat([pos_mask, neg_mask], dim=1)
    return index, labels.gather(1, index).masked_fill_(~drawn, -1), max_pos
