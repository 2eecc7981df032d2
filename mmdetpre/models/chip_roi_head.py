"""The second stage of SNIPER: projection, RoI pooling, two fully connected layers, classes and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdetpre.models.roi_targets import batch_targets
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
        """The map (N, proj_channels, H, W) that regions are pooled from.

        In float32 also under mixed precision, and with channels first also in ``torch.channels_last``: mmcv's pooling
        would take the one for an error, and read wrong places of the other.
        """
        return F.relu(self.conv_proj(x[0])).float().contiguous()

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        return super()._bbox_forward((self.project(x),), rois)

    def loss(
        self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses ``loss_cls`` and ``loss_bbox`` of a batch of chips, and the number of positive regions per chip.

        Args:
            x: Maps (B, C, H, W) of the levels.
            rpn_results_list: Proposals of each chip, ``bboxes`` (n, 4), xyxy in chip pixels.
            batch_data_samples: Objects of each chip.
        """
        batch, cfg, classes = len(batch_data_samples), self.train_cfg, self.bbox_head.num_classes
        proposals = [r.bboxes for r in rpn_results_list]
        rois, (labels, weights, gt_boxes) = batch_targets(proposals, batch_data_samples, classes, cfg)
        outputs = self._bbox_forward(x, rois)
        cls_score, bbox_pred = outputs["cls_score"].float(), outputs["bbox_pred"].float()
        positive = (labels != classes) & (weights > 0)
        box_targets = self.bbox_head.bbox_coder.encode(rois[:, 1:], gt_boxes)
        # Background is given its target: with weights the loss would ask the device if any is not 0.
        bbox_pred = torch.where(positive[:, None], bbox_pred, box_targets)
        return dict(
            loss_cls=self.bbox_head.loss_cls(cls_score, labels, weights, avg_factor=cfg.num_rois * batch),
            loss_bbox=self.bbox_head.loss_bbox(bbox_pred, box_targets, avg_factor=cfg.box_divisor * batch),
            positive_rois=positive.sum() / batch,
        )
