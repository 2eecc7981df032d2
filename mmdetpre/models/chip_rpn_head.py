"""The region proposal network of SNIPER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.ops import nms
from mmdet.models.dense_heads import RPNHead
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.models.instances import area_range, boxes_of, large_enough, on_device, pad
from mmdetpre.models.rpn_targets import label_anchors, sample_anchors
from mmdetpre.registry import MODELS


@MODELS.register_module()
class ChipRPNHead(RPNHead):
    """RPN that learns from chips: one level, out-of-range objects neither positive nor negative.

    ``ignored_instances`` hold the objects that are out of the chip's valid range; anchors on them are not labeled.
    While training, proposals out of the valid range (``valid_range`` of the image's meta information, in chip pixels)
    are dropped before NMS, so that the second stage sees the sizes it is to learn at this scale.

    Losses (paper section 3.1, SNIPER): softmax cross-entropy over the sampled anchors; three times the summed smooth-L1
    of the positives over ``num_samples`` per chip.

    ``train_cfg`` keys: ``pos_iou_thr``, ``neg_iou_thr``, ``ignore_iou_thr``, ``num_samples``, ``pos_fraction``,
    ``min_gt_side`` (smaller boxes take no part, pixels), ``allowed_border`` (pixels an anchor may reach outside).
    Proposal settings (``train_cfg.rpn_proposal`` and ``test_cfg.rpn`` of the detector): ``nms_pre``, ``nms``,
    ``max_per_img``, ``min_bbox_size``.
    """

    train_cfg: ConfigDict

    def __init__(self, *args: Any, train_cfg: ConfigDict | None = None, **kwargs: Any) -> None:
        # The parent would build an assigner and a sampler that this head does not use.
        super().__init__(*args, train_cfg=None, **kwargs)
        self.train_cfg = train_cfg
        if self.use_sigmoid_cls:
            raise ValueError("ChipRPNHead learns a softmax: set loss_cls.use_sigmoid=False.")

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
    ) -> dict[str, Tensor]:
        """Losses ``loss_rpn_cls`` and ``loss_rpn_bbox`` of maps (N, A*2, H, W) and (N, A*4, H, W), one level each.

        Args:
            cls_scores: (N, A*2, H, W) logits of each level.
            bbox_preds: (N, A*4, H, W) box deltas of each level.
            batch_gt_instances: Objects of each chip, xyxy in chip pixels.
            batch_img_metas: Meta information of each chip.
            batch_gt_instances_ignore: Ignored objects of each chip; None: none.
        """
        scores, deltas, anchors = self._per_anchor(cls_scores, bbox_preds)
        batch = len(scores)
        labels, matched, gt = self.anchor_labels(
            anchors, batch_gt_instances, batch_gt_instances_ignore, batch_img_metas[0]["batch_input_shape"]
        )
        cfg = self.train_cfg
        index, labels, positives = sample_anchors(labels, cfg.num_samples, cfg.pos_fraction)

        # Class 0 is foreground, class 1 background: mmdet's order.
        weights = (labels >= 0).float()
        loss_cls = self.loss_cls(
            scores.gather(1, index[..., None].expand(-1, -1, 2)).flatten(0, 1),
            (labels != 1).long().flatten(),
            weights.flatten(),
            avg_factor=weights.sum().clamp(min=1.0),
        )
        pos_index, pos_mask = index[:, :positives], labels[:, :positives] == 1
        pos_anchors = anchors[pos_index]
        pos_deltas = deltas.gather(1, pos_index[..., None].expand(-1, -1, 4))
        pos_gt = gt.gather(1, matched.gather(1, pos_index)[..., None].expand(-1, -1, 4))
        pos_gt = torch.where(pos_mask[..., None], pos_gt, pos_anchors)
        targets = self.bbox_coder.encode(pos_anchors.flatten(0, 1), pos_gt.flatten(0, 1)).view_as(pos_deltas)
        # Places without a positive are given their target: with weights the loss would ask the device if any is not 0.
        pos_deltas = torch.where(pos_mask[..., None], pos_deltas, targets)
        loss_bbox = self.loss_bbox(pos_deltas, targets, avg_factor=batch * cfg.num_samples)
        return dict(loss_rpn_cls=loss_cls, loss_rpn_bbox=loss_bbox)

    def anchor_labels(
        self,
        anchors: Tensor,
        gt_instances: list[InstanceData],
        ignored_instances: list[InstanceData] | None,
        input_shape: tuple[int, int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Labels (B, A) before sampling, matched valid boxes (B, A), and these boxes (B, G, 4), padded with zeros.

        Anchors within ``allowed_border`` pixels of the input tensor (height, width) are considered, also for chips that
        fill only a part of it.

        Args:
            anchors: (A, 4) xyxy in chip pixels.
            gt_instances: Objects of each chip.
            ignored_instances: Ignored objects of each chip; None: none.
            input_shape: Height and width of the input tensor, pixels.
        """
        cfg = self.train_cfg
        gt = pad([boxes_of(g) for g in gt_instances])
        ignored = pad([boxes_of(g) for g in ignored_instances]) if ignored_instances else torch.zeros_like(gt)
        gt, ignored = (boxes * large_enough(boxes, cfg.min_gt_side)[..., None] for boxes in (gt, ignored))
        (height, width), border = input_shape, cfg.allowed_border
        considered = (anchors[:, :2] >= -border).all(dim=1)
        considered &= (anchors[:, 2] <= width + border) & (anchors[:, 3] <= height + border)
        thresholds = (cfg.pos_iou_thr, cfg.neg_iou_thr, cfg.ignore_iou_thr)
        labels, matched = label_anchors(anchors, considered, gt, ignored, *thresholds)
        return labels, matched, gt

    def _per_anchor(self, cls_scores: Sequence[Tensor], bbox_preds: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (N, A, 2), deltas (N, A, 4) and anchors (A, 4), in float32 also under mixed precision."""
        (scores,), (deltas,) = cls_scores, bbox_preds
        anchors = self.prior_generator.grid_priors([scores.shape[-2:]], device=scores.device)[0]
        scores, deltas = (
            maps.permute(0, 2, 3, 1).reshape(len(maps), -1, width).float() for maps, width in ((scores, 2), (deltas, 4))
        )
        return scores, deltas, anchors

    @torch.no_grad()
    def predict_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        score_factors: None = None,
        batch_img_metas: Sequence[dict] = (),
        cfg: ConfigDict | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Proposals of each image, best first: ``bboxes`` (n, 4), ``scores`` (n,) and ``labels`` (n,), all 0.

        All images are treated at once up to NMS: that compares each box with all others it is given, so it is called
        per image. The host waits for the device to count the boxes of all images, and in each NMS.

        Args:
            cls_scores: (N, A*2, H, W) logits of each level.
            bbox_preds: (N, A*4, H, W) box deltas of each level.
            score_factors: Not used.
            batch_img_metas: Meta information of each image.
            cfg: Settings of the proposals; None: ``test_cfg``.
            rescale: Give boxes in pixels of the original image.
            with_nms: Not used: NMS is always applied.

        Raises:
            ValueError: If ``cfg.nms`` is another than ``nms``.
        """
        cfg = self.test_cfg if cfg is None else cfg
        if cfg.nms.type != "nms":
            raise ValueError(
                f"nms of the proposals is {cfg.nms.type!r}: ChipRPNHead knows dict(type='nms', iou_threshold=...)."
            )
        boxes, scores = self.candidates(cls_scores, bbox_preds, batch_img_metas, cfg)
        results = []
        for i, count in enumerate((scores >= 0).sum(dim=1).tolist()):
            best = nms(boxes[i, :count], scores[i, :count], iou_threshold=cfg.nms.iou_threshold)[0][: cfg.max_per_img]
            result = InstanceData(
                bboxes=best[:, :4], scores=best[:, 4], labels=best.new_zeros(len(best), dtype=torch.long)
            )
            if rescale:
                result.bboxes = result.bboxes / boxes.new_tensor(batch_img_metas[i]["scale_factor"]).repeat(2)
            results.append(result)
        return results

    def candidates(
        self, cls_scores: Sequence[Tensor], bbox_preds: Sequence[Tensor], metas: Sequence[dict], cfg: ConfigDict
    ) -> tuple[Tensor, Tensor]:
        """The best ``nms_pre`` boxes (N, k, 4) of each image before NMS, and their scores (N, k), best first.

        Args:
            cls_scores: (N, A*2, H, W) logits of each level.
            bbox_preds: (N, A*4, H, W) box deltas of each level.
            metas: Meta information of each image.
            cfg: Settings of the proposals.

        Returns:
            Boxes in chip pixels; scores, -1 of a box that does not have the size of a proposal.
        """
        scores, deltas, anchors = self._per_anchor(cls_scores, bbox_preds)
        scores = F.softmax(scores, dim=2)[..., 0]
        boxes = self.bbox_coder.decode(anchors.repeat(len(deltas), 1), deltas.flatten(0, 1)).view_as(deltas)
        limits = np.array([meta["img_shape"][::-1] * 2 for meta in metas], dtype=np.float32)
        boxes = torch.minimum(boxes.clamp(min=0), on_device(limits, boxes.device)[:, None])
        scores = scores.masked_fill(~self._is_candidate(boxes, metas, cfg.min_bbox_size), -1.0)
        scores, order = scores.topk(min(cfg.nms_pre, len(anchors)), dim=1)
        boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
        return boxes, scores

    def _is_candidate(self, boxes: Tensor, metas: Sequence[dict], min_side: float) -> Tensor:
        """Mask (N, A) of the boxes (N, A, 4) that have the size of a proposal."""
        if not self.training:
            return large_enough(boxes, min_side)
        # The original tests one side in training and both at test time.
        low, high = area_range(metas, boxes.device)
        sides = boxes[..., 2:] - boxes[..., :2]
        area = sides.prod(dim=2)
        return (sides >= min_side).any(dim=2) & (sides > 0).all(dim=2) & (area >= low) & (area <= high)
