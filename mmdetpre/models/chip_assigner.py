"""Assignment of anchors and proposals for mmdet's own detectors on chips."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.models.instances import group_of
from mmdetpre.registry import TASK_UTILS


@TASK_UTILS.register_module()
class ChipAssigner(MaxIoUAssigner):
    """``MaxIoUAssigner`` for chips: priors on objects that are out of the chip's range are not labeled.

    The parent's ``ignore_iof_thr`` is made for crowds and goes wrong on chips, where every large object is ignored at
    the finest scale: it takes all priors inside an ignored box, so that a small object in front of a large one is never
    learned; and it is skipped where no valid object is left, so that the ignored ones become background.

    Here valid objects are assigned first. Then a prior that is not positive is left unlabeled if its IoU with an
    out-of-range object, or the part of it that lies in a crowd (``group_of`` of the ignored instances), is too large.

    Args:
        ignore_iou_thr: Largest IoU of background with an out-of-range object: 0.3 for anchors as in SNIPER.
        ignore_iof_thr: Largest part of a background prior that may lie in a crowd; as the parent's, negative for
            "ignore nothing", which is what mmdet's configs say: set it where you inherit from them.
        kwargs: Arguments of ``MaxIoUAssigner`` (``pos_iou_thr``, ``neg_iou_thr`` ...).

    Example:
        >>> priors = InstanceData(priors=torch.tensor([[0.0, 0.0, 9.0, 9.0], [50.0, 50.0, 60.0, 60.0]]))
        >>> valid = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        >>> ignored = InstanceData(bboxes=torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
        >>> ChipAssigner(pos_iou_thr=0.5, neg_iou_thr=0.4).assign(priors, valid, ignored).gt_inds
        tensor([-1,  0])
    """

    def __init__(self, *args: Any, ignore_iou_thr: float = 0.3, ignore_iof_thr: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, ignore_iof_thr=ignore_iof_thr, **kwargs)
        self.ignore_iou_thr = ignore_iou_thr

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """As the parent's: ``gt_inds`` is the index of the object plus 1, 0 for background, -1 for not labeled.

        Args:
            pred_instances: ``priors`` (n, 4), xyxy in chip pixels.
            gt_instances: Objects: ``bboxes`` (m, 4), ``labels`` (m,).
            gt_instances_ignore: Regions to ignore: ``bboxes`` (k, 4).
            **kwargs: Passed to the parent.
        """
        result = super().assign(pred_instances, gt_instances, None, **kwargs)
        if gt_instances_ignore is not None and len(gt_instances_ignore):
            unlabeled = self.on_ignored(pred_instances.priors, gt_instances_ignore) & (result.gt_inds <= 0)
            result.gt_inds = result.gt_inds.masked_fill(unlabeled, -1)
        return result

    def on_ignored(self, priors: Tensor, ignored: InstanceData) -> Tensor:
        """Mask (n,) of the priors (n, 4) that lie on an ignored object (xyxy)."""
        boxes, group = ignored.bboxes, group_of(ignored)
        mask = torch.zeros(len(priors), dtype=torch.bool, device=boxes.device)
        for chosen, mode, threshold in ((~group, "iou", self.ignore_iou_thr), (group, "iof", self.ignore_iof_thr)):
            if threshold >= 0:
                mask |= ((self.iou_calculator(priors, boxes, mode=mode) > threshold) & chosen).any(dim=1)
        return mask
