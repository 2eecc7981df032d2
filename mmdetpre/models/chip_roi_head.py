"""The second stage of SNIPER: projection, RoI pooling, two fully connected layers, classes and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdetpre.models.roi_targets import RoITargets, chip_targets
from mmdetpre.registry import MODELS


@MODELS.register_module()
class ChipRoIHead(StandardRoIHead):
    """RoI head that learns from every region of a chip, without sampling or hard-example mining.

    The feature map passes a 1x1 projection (``ConvProj`` of the paper) before RoIs are pooled from it. Losses have the
    constant divisors of SNIPER, so that a chip with few regions weighs less: cross-entropy summed over
    ``num_rois * B``, smooth-L1 of the positives summed over ``box_divisor * B``.

    ``train_cfg`` keys: ``num_rois``, ``box_divisor``, ``pos_iou_thr``, ``group_iof_thr``, ``min_gt_side`` (pixels),
    ``ignore_invalid_gt``, ``soft_sampling`` (see :func:`mmdetpre.models.roi_targets.assign_rois`).

    Args:
        in_channels: Channels of the incoming map.
        proj_channels: Channels after the projection.
        proj_std: Standard deviation of the projection's initial weights.

    Raises:
        ValueError: If projection, RoI layer and head do not agree in channels or bins.
    """

    def __init__(self, in_channels: int, proj_channels: int = 256, proj_std: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv_proj = nn.Conv2d(in_channels, proj_channels, 1)
        self.init_cfg = dict(type="Normal", std=proj_std, override=dict(name="conv_proj"))
        self._check_sizes(proj_channels)

    def _check_sizes(self, channels: int) -> None:
        """The map, the RoI layer and the head must agree; torch would only tell of matrices that do not fit."""
        extractor, head = self.bbox_roi_extractor, self.bbox_head
        if not channels == extractor.out_channels == head.in_channels:
            raise ValueError(
                f"ChipRoIHead has proj_channels={channels}, bbox_roi_extractor.out_channels={extractor.out_channels}"
                f" and bbox_head.in_channels={head.in_channels}: they must be equal."
            )
        (rows, columns), expected = extractor.roi_layers[0].output_size, tuple(head.roi_feat_size)
        if (rows, columns) != expected:
            raise ValueError(
                f"bbox_roi_extractor pools {rows}x{columns} bins, but bbox_head expects {expected[0]}x{expected[1]}:"
                f" set bbox_head.roi_feat_size={rows} (or roi_layer.output_size={expected[0]})."
            )

    def init_assigner_sampler(self) -> None:
        """All regions are learned: neither assigner nor sampler is built."""

    def project(self, x: Sequence[Tensor]) -> Tensor:
        """The map (N, proj_channels, H, W) that regions are pooled from, in float32 also under mixed precision."""
        return F.relu(self.conv_proj(x[0])).float()

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        return super()._bbox_forward((self.project(x),), rois)

    def loss(
        self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses ``loss_cls`` and ``loss_bbox`` of a batch of chips, and the number of positive regions per chip."""
        proposals, targets = zip(
            *(self.targets(r.bboxes, s) for r, s in zip(rpn_results_list, batch_data_samples, strict=True)), strict=True
        )
        rois = bbox2roi(list(proposals))
        labels, weights, gt_boxes = (torch.cat(parts) for parts in zip(*targets, strict=True))
        if not len(rois):  # one region of weight 0: distributed training waits for the gradient of every parameter
            rois = rois.new_tensor([[0.0, 0.0, 0.0, 16.0, 16.0]])
            labels, weights, gt_boxes = labels.new_tensor([self.bbox_head.num_classes]), rois.new_zeros(1), rois[:, 1:]
        outputs = self._bbox_forward(x, rois)
        cls_score, bbox_pred = outputs["cls_score"].float(), outputs["bbox_pred"].float()
        batch, cfg = len(proposals), self.train_cfg
        positive = (labels != self.bbox_head.num_classes).float() * (weights > 0)
        box_targets = self.bbox_head.bbox_coder.encode(rois[:, 1:], gt_boxes)
        return dict(
            loss_cls=self.bbox_head.loss_cls(cls_score, labels, weights, avg_factor=cfg.num_rois * batch),
            loss_bbox=self.bbox_head.loss_bbox(
                bbox_pred, box_targets, positive[:, None].expand(-1, 4), avg_factor=cfg.box_divisor * batch
            ),
            positive_rois=positive.sum() / batch,
        )

    def targets(self, proposals: Tensor, sample: DetDataSample) -> tuple[Tensor, RoITargets]:
        """Regions (R, 4) of one chip and what they are to learn."""
        return chip_targets(proposals, sample, self.bbox_head.num_classes, self.train_cfg)
