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

from mmdetpre.models.mask_targets import mask_targets, stack_masks
from mmdetpre.models.roi_targets import batch_targets
from mmdetpre.registry import MODELS


@MODELS.register_module()
class ChipRoIHead(StandardRoIHead):
    """RoI head that learns from every region of a chip, without sampling or hard-example mining.

    The feature map passes a 1x1 projection (``ConvProj`` of the paper) before RoIs are pooled from it. Losses have the
    constant divisors of SNIPER, so that a chip with few regions weighs less: cross-entropy summed over
    ``num_rois * B``, smooth-L1 of the positives summed over ``box_divisor * B``.

    With ``mask_head`` (``FCNMaskHead`` of mmdet) it is Mask R-CNN on chips: positives learn the mask of their object,
    cut to the chip, if the object lies in the valid range; at most ``mask_rois * B`` of the batch, drawn at random.
    Their loss is the mean over these regions, as in Mask R-CNN. Without ``mask_roi_extractor`` masks are pooled as
    boxes are.

    ``train_cfg`` keys: ``num_rois``, ``box_divisor``, ``pos_iou_thr``, ``group_iof_thr``, ``min_gt_side`` (pixels),
    ``ignore_invalid_gt``, ``soft_sampling`` (see :func:`mmdetpre.models.roi_targets.assign_rois`), ``mask_rois``.
    ``test_cfg`` keys: those of mmdet, with a mask head also ``mask_thr_binary``.

    Args:
        in_channels: Channels of the incoming map.
        proj_channels: Channels after the projection.
        proj_std: Standard deviation of the projection's initial weights.

    Raises:
        ValueError: If projection, RoI layer and heads do not agree in channels, bins or classes.
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
        if self.with_mask:
            self._check_mask_head(channels)

    def _check_mask_head(self, channels: int) -> None:
        extractor, head, classes = self.mask_roi_extractor, self.mask_head, self.bbox_head.num_classes
        if not channels == extractor.out_channels == head.in_channels:
            raise ValueError(
                f"ChipRoIHead has proj_channels={channels}, mask_roi_extractor.out_channels={extractor.out_channels}"
                f" and mask_head.in_channels={head.in_channels}: they must be equal."
            )
        if not head.class_agnostic and head.num_classes != classes:
            raise ValueError(
                f"mask_head.num_classes is {head.num_classes} and bbox_head.num_classes {classes}: set"
                f" model.roi_head.mask_head.num_classes={classes}."
            )
        if self.train_cfg is not None and self.train_cfg.get("mask_rois", 0) < 1:
            raise ValueError(
                "ChipRoIHead has a mask_head but no train_cfg.rcnn.mask_rois: set how many regions a chip learns masks"
                " with at most, such as 32."
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

    def _mask_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        return super()._mask_forward((self.project(x),), rois)

    def loss(
        self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses ``loss_cls`` and ``loss_bbox`` of a batch of chips, and the number of positive regions per chip.

        With a mask head also ``loss_mask``.

        Args:
            x: Maps (B, C, H, W) of the levels.
            rpn_results_list: Proposals of each chip, ``bboxes`` (n, 4), xyxy in chip pixels.
            batch_data_samples: Objects of each chip.

        Raises:
            ValueError: If there is a mask head and the chips have no masks.
        """
        batch, cfg, classes = len(batch_data_samples), self.train_cfg, self.bbox_head.num_classes
        proposals = [r.bboxes for r in rpn_results_list]
        rois, (labels, weights, gt_boxes, objects) = batch_targets(proposals, batch_data_samples, classes, cfg)
        outputs = self._bbox_forward(x, rois)
        cls_score, bbox_pred = outputs["cls_score"].float(), outputs["bbox_pred"].float()
        positive = (labels != classes) & (weights > 0)
        box_targets = self.bbox_head.bbox_coder.encode(rois[:, 1:], gt_boxes)
        # Background is given its target: with weights the loss would ask the device if any is not 0.
        bbox_pred = torch.where(positive[:, None], bbox_pred, box_targets)
        losses = dict(
            loss_cls=self.bbox_head.loss_cls(cls_score, labels, weights, avg_factor=cfg.num_rois * batch),
            loss_bbox=self.bbox_head.loss_bbox(bbox_pred, box_targets, avg_factor=cfg.box_divisor * batch),
            positive_rois=positive.sum() / batch,
        )
        if self.with_mask:
            losses["loss_mask"] = self._mask_loss(x, rois, labels, objects, positive, batch_data_samples)
        return losses

    def _mask_loss(
        self,
        x: Sequence[Tensor],
        rois: Tensor,
        labels: Tensor,
        objects: Tensor,
        positive: Tensor,
        samples: Sequence[DetDataSample],
    ) -> Tensor:
        """Mean loss of the masks of some positives (R,), whose objects (R,) are numbers within their chips."""
        masks, first, counts = stack_masks(samples, rois.device)
        chip = rois[:, 0].long()
        rows = (first[chip] + objects).clamp(max=len(masks) - 1)
        shows = masks.flatten(1).amax(dim=1) > 0  # an object of unknown mask has an empty one
        learns = positive & (objects < counts[chip]) & shows[rows]
        # As many places as there may be; how many learn is not asked, as the host would have to wait.
        places = min(self.train_cfg.mask_rois * len(samples), len(rois))
        chosen = (torch.rand_like(rois[:, 0]) + learns).topk(places).indices
        learns, rois, labels = learns[chosen], rois[chosen], labels[chosen].clamp(max=self.bbox_head.num_classes - 1)
        found = self._mask_forward(x, rois)["mask_preds"].float()
        height, width = found.shape[2:]
        targets = mask_targets(masks, rows[chosen], rois[:, 1:], (height, width))
        # The others are given their targets, as logits: their loss is 0.
        found = torch.where(learns[:, None, None, None], found, 200 * targets[:, None] - 100)
        loss = self.mask_head.loss_mask(found, targets, labels * (not self.mask_head.class_agnostic))
        return loss.sum() * places / learns.sum().clamp(min=1)
