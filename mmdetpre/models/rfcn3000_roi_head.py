"""The second stage of R-FCN-3000: how likely a region is an object, and which of thousands of classes it would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.base_roi_head import BaseRoIHead
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.models.fine_detections import fine_detections
from mmdetpre.models.roi_targets import batch_targets
from mmdetpre.models.super_classes import SuperClasses, read_super_classes
from mmdetpre.registry import MODELS


@MODELS.register_module()
class RFCN3000RoIHead(BaseRoIHead):
    """Detection (few super-classes and boxes) decoupled from classification (F fine classes without background).

    The score of fine class i is ``p_super(S(i)) * p_fine(i)``, S(i) being its super-class; with one super-class,
    ``p_super`` is the objectness. The fine classifier learns from the regions that lie on objects only. Losses have
    constant divisors, B being the number of chips: super-class cross-entropy summed over ``num_rois * B``, fine
    cross-entropy over ``fine_divisor * B``, smooth-L1 of the positives over ``box_divisor * B``.

    ``train_cfg`` keys: those of :class:`mmdetpre.ChipRoIHead`, ``fine_rois`` (positives per chip that the fine
    classifier learns at most: the first ``fine_rois * B`` of the batch), ``fine_divisor``.
    ``test_cfg`` keys: ``objectness_thr`` (regions at or below are dropped), ``score_thr``, ``nms``, ``max_per_img``
    (see :func:`mmdetpre.models.fine_detections.fine_detections`).

    Args:
        num_classes: Fine classes F.
        bbox_head: :class:`mmdetpre.PositionSensitiveHead` without ``num_classes``: that follows from ``super_classes``.
        fine_head: :class:`mmdetpre.PoolFirstClassifier` or :class:`mmdetpre.DenseClassifier`, without ``num_classes``.
        bbox_coder: Config of the box coder.
        loss_cls: Config of the loss of the super-classes.
        loss_fine: Config of the loss of the fine classes.
        loss_bbox: Config of the loss of the boxes.
        super_classes: Super-class of each fine class: ``None`` (one: objectness), a list, a mapping by WordNet id or a
            file of ``tools/analysis_tools/cluster_classes.py``.
        classes: WordNet ids in label order, a list or a file with one per line; needed for a mapping or a file.

    Source: section 4 of the paper and R-FCN-3000.
    """

    def __init__(
        self,
        num_classes: int,
        bbox_head: dict,
        fine_head: dict,
        bbox_coder: dict,
        loss_cls: dict,
        loss_fine: dict,
        loss_bbox: dict,
        super_classes: SuperClasses = None,
        classes: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        clusters = read_super_classes(super_classes, num_classes, classes)
        self.num_classes, self.num_super = num_classes, int(clusters.max()) + 1
        super().__init__(bbox_head=bbox_head, **kwargs)
        self.fine_head = MODELS.build({**fine_head, "num_classes": num_classes})
        self.bbox_coder = TASK_UTILS.build(bbox_coder)
        self.loss_cls, self.loss_fine, self.loss_bbox = map(MODELS.build, (loss_cls, loss_fine, loss_bbox))
        self.super_of: Tensor
        self.register_buffer("super_of", clusters)

    def init_bbox_head(self, bbox_roi_extractor: dict | None, bbox_head: dict) -> None:
        """Builds the super-class and box branch; it pools by itself, without a region extractor."""
        self.bbox_head = MODELS.build({**bbox_head, "num_classes": self.num_super})

    def init_mask_head(self, *args: Any, **kwargs: Any) -> None:
        """Masks are not predicted.

        Raises:
            ValueError: Always: this head has no masks.
        """
        raise ValueError("RFCN3000RoIHead predicts no masks: drop mask_head.")

    def init_assigner_sampler(self) -> None:
        """All regions are learned: neither assigner nor sampler is built."""

    def forward(
        self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: list[DetDataSample]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Super-class logits (R, K + 1), box deltas (R, 4) and fine logits (R, F) of all regions of a batch.

        Args:
            x: Maps (B, C, H, W) of the levels.
            rpn_results_list: Proposals of each chip, ``bboxes`` (n, 4), xyxy in chip pixels.
            batch_data_samples: Not used.
        """
        rois = bbox2roi([r.bboxes for r in rpn_results_list])
        return (*self.bbox_head(x[0], rois), self.fine_head(x[0], rois))

    def loss(
        self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses ``loss_cls`` (super-classes), ``loss_fine``, ``loss_bbox`` and positive regions per chip.

        Args:
            x: Maps (B, C, H, W) of the levels.
            rpn_results_list: Proposals of each chip, ``bboxes`` (n, 4), xyxy in chip pixels.
            batch_data_samples: Objects of each chip.
        """
        cfg, batch = self.train_cfg, len(batch_data_samples)
        proposals = [r.bboxes for r in rpn_results_list]
        rois, (labels, weights, gt_boxes, _) = batch_targets(proposals, batch_data_samples, self.num_classes, cfg)
        scores, deltas = self.bbox_head(x[0], rois)
        positive = (labels != self.num_classes) & (weights > 0)
        super_labels = F.pad(self.super_of, (0, 1), value=self.num_super)[labels]

        # Positives first, in their order; how many there are is not asked, as the host would have to wait.
        fine = positive.byte().argsort(descending=True, stable=True)[: cfg.fine_rois * batch]
        fine_labels = labels[fine].clamp(max=self.num_classes - 1)
        box_targets = self.bbox_coder.encode(rois[:, 1:], gt_boxes)
        # Background is given its target: with weights the loss would ask the device if any is not 0.
        deltas = torch.where(positive[:, None], deltas, box_targets)
        return dict(
            loss_cls=self.loss_cls(scores, super_labels, weights, avg_factor=cfg.num_rois * batch),
            loss_fine=self.loss_fine(
                self.fine_head(x[0], rois[fine]), fine_labels, positive[fine], avg_factor=cfg.fine_divisor * batch
            ),
            loss_bbox=self.loss_bbox(deltas, box_targets, avg_factor=cfg.box_divisor * batch),
            positive_rois=positive.sum() / batch,
        )

    def predict_bbox(
        self,
        x: Sequence[Tensor],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detections of each image: ``bboxes`` (n, 4), ``scores`` (n,) and fine ``labels`` (n,), best first.

        Args:
            x: Maps (B, C, H, W) of the levels.
            batch_img_metas: Meta information of each image.
            rpn_results_list: Proposals of each image, ``bboxes`` (n, 4), xyxy in input pixels.
            rcnn_test_cfg: Settings of the detections.
            rescale: Give boxes in pixels of the original image.
        """
        counts = [len(r) for r in rpn_results_list]
        rois = bbox2roi([r.bboxes for r in rpn_results_list])
        scores, deltas = self.bbox_head(x[0], rois)
        super_probabilities = F.softmax(scores, dim=1)
        objects = 1 - super_probabilities[:, -1] > rcnn_test_cfg.objectness_thr
        image = torch.repeat_interleave(torch.tensor(counts)).to(objects.device)
        rois, image, deltas = rois[objects], image[objects], deltas[objects]
        fine_scores = self.combined_scores(super_probabilities[objects], self.fine_head(x[0], rois))
        results = []
        for i, meta in enumerate(batch_img_metas):
            mine = image == i
            boxes = self.bbox_coder.decode(rois[mine, 1:], deltas[mine], max_shape=meta["img_shape"])
            if rescale:
                boxes = boxes / boxes.new_tensor(meta["scale_factor"]).repeat(2)
            results.append(fine_detections(boxes, fine_scores[mine], rcnn_test_cfg))
        return results

    def combined_scores(self, super_probabilities: Tensor, fine_logits: Tensor) -> Tensor:
        """Scores (R, F) from super-class probabilities (R, K + 1) and fine logits (R, F)."""
        return super_probabilities[:, self.super_of] * F.softmax(fine_logits, dim=1)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Refuses a checkpoint of another clustering: its scores would be multiplied with those of wrong classes."""
        saved = state_dict.get(prefix + "super_of")
        if saved is not None and saved.shape == self.super_of.shape and not torch.equal(saved, self.super_of.to(saved)):
            raise ValueError(
                f"the checkpoint was trained with {int(saved.max()) + 1} super-classes of another clustering than"
                f" roi_head.super_classes ({self.num_super} of them): set super_classes to the one of its config."
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
