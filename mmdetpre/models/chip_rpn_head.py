"""The region proposal network of SNIPER."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops import nms
from mmdet.models.dense_heads import RPNHead
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.models.instances import boxes_of, large_enough, pad_boxes
from mmdetpre.models.rpn_targets import label_anchors, sample_anchors
from mmdetpre.registry import MODELS


@MODELS.register_module()
class ChipRPNHead(RPNHead):
    """RPN that learns from chips: one level, out-of-range objects neither positive nor negative.

    ``ignored_instances`` hold the objects that are out of the chip's valid range; anchors on them are not labelled.
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
        """Losses ``loss_rpn_cls`` and ``loss_rpn_bbox`` of maps (N, A*2, H, W) and (N, A*4, H, W), one level each."""
        (scores,), (deltas,) = cls_scores, bbox_preds
        batch, device = len(scores), scores.device
        scores = scores.permute(0, 2, 3, 1).reshape(batch, -1, 2).float()
        deltas = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4).float()
        anchors = self.prior_generator.grid_priors([cls_scores[0].shape[-2:]], device=device)[0]
        labels, matched, gt = self.anchor_labels(
            anchors, batch_gt_instances, batch_gt_instances_ignore, batch_img_metas[0]["batch_input_shape"]
        )
        cfg = self.train_cfg
        labels, pos_index, pos_mask = sample_anchors(labels, cfg.num_samples, cfg.pos_fraction)

        # Class 0 is foreground, class 1 background: mmdet's order.
        weights = (labels >= 0).float()
        loss_cls = self.loss_cls(
            scores.flatten(0, 1),
            (labels != 1).long().flatten(),
            weights.flatten(),
            avg_factor=weights.sum().clamp(min=1.0),
        )
        pos_anchors = anchors[pos_index]
        pos_deltas = deltas.gather(1, pos_index[..., None].expand(-1, -1, 4))
        pos_gt = pos_anchors
        if gt.shape[1]:
            pos_gt = gt.gather(1, matched.gather(1, pos_index)[..., None].expand(-1, -1, 4))
        pos_gt = torch.where(pos_mask[..., None], pos_gt, pos_anchors)
        targets = self.bbox_coder.encode(pos_anchors.flatten(0, 1), pos_gt.flatten(0, 1))
        loss_bbox = self.loss_bbox(
            pos_deltas.flatten(0, 1),
            targets,
            pos_mask.float().flatten()[:, None].expand(-1, 4),
            avg_factor=batch * cfg.num_samples,
        )
        return dict(loss_rpn_cls=loss_cls, loss_rpn_bbox=loss_bbox)

    def anchor_labels(
        self,
        anchors: Tensor,
        gt_instances: list[InstanceData],
        ignored_instances: list[InstanceData] | None,
        input_shape: tuple[int, int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Labels (B, A) before sampling, matched valid boxes (B, A), and these boxes (B, G, 4), padded.

        Anchors within ``allowed_border`` pixels of the input tensor (height, width) are considered, also for chips that
        fill only a part of it.
        """
        cfg = self.train_cfg
        valid = [boxes_of(g) for g in gt_instances]
        out_of_range = [boxes_of(g) for g in ignored_instances] if ignored_instances else [b[:0] for b in valid]
        gt, gt_mask = pad_boxes([b[large_enough(b, cfg.min_gt_side)] for b in valid])
        ignored, ignored_mask = pad_boxes([b[large_enough(b, cfg.min_gt_side)] for b in out_of_range])
        height, width = input_shape
        border = cfg.allowed_border
        limit = anchors.new_tensor([width + border, height + border])
        considered = (anchors[:, :2] >= -border).all(dim=1) & (anchors[:, 2:] <= limit).all(dim=1)
        thresholds = (cfg.pos_iou_thr, cfg.neg_iou_thr, cfg.ignore_iou_thr)
        labels, matched = label_anchors(anchors, considered, gt, gt_mask, ignored, ignored_mask, *thresholds)
        return labels, matched, gt

    def predict_by_feat(
        self, cls_scores: list[Tensor], bbox_preds: list[Tensor], *args: Any, **kwargs: Any
    ) -> list[InstanceData]:
        """Proposals of each image, in float32 also under mixed precision: mmdet makes anchors in the scores' type."""
        return super().predict_by_feat(
            [s.float() for s in cls_scores], [d.float() for d in bbox_preds], *args, **kwargs
        )

    def _predict_by_feat_single(
        self,
        cls_score_list: list[Tensor],
        bbox_pred_list: list[Tensor],
        score_factor_list: list[Tensor],
        mlvl_priors: list[Tensor],
        img_meta: dict,
        cfg: ConfigDict,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> InstanceData:
        cfg = self.test_cfg if cfg is None else cfg
        if cfg.nms.type != "nms":
            raise ValueError(
                f"nms of the proposals is {cfg.nms.type!r}: ChipRPNHead knows dict(type='nms', iou_threshold=...)."
            )
        scores = cls_score_list[0].permute(1, 2, 0).reshape(-1, 2)
        deltas = bbox_pred_list[0].permute(1, 2, 0).reshape(-1, 4)
        scores = F.softmax(scores, dim=1)[:, 0]
        boxes = self.bbox_coder.decode(mlvl_priors[0], deltas, max_shape=img_meta["img_shape"])
        sides = boxes[:, 2:] - boxes[:, :2]
        large = sides >= cfg.min_bbox_size
        if self.training:  # the original tests one side in training and both at test time
            low, high = img_meta.get("valid_range", (0.0, float("inf")))
            area = sides.prod(dim=1)
            keep = large.any(dim=1) & (sides > 0).all(dim=1) & (area >= low**2) & (area <= high**2)
        else:
            keep = large.all(dim=1)
        boxes, scores = boxes[keep], scores[keep]
        scores, order = scores.topk(min(cfg.nms_pre, len(scores)))
        boxes = boxes[order]
        if len(boxes):
            kept, index = nms(boxes, scores, iou_threshold=cfg.nms.iou_threshold)
            index = index[: cfg.max_per_img]
            boxes, scores = boxes[index], kept[: cfg.max_per_img, 4]
        if rescale:
            boxes = boxes / boxes.new_tensor(img_meta["scale_factor"]).repeat(2)
        return InstanceData(bboxes=boxes, scores=scores, labels=scores.new_zeros(len(scores), dtype=torch.long))
