"""Multi-scale inference as test-time augmentation of any mmdet detector."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip, get_box_tensor
from mmengine.config import Config
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdetpre.models.mask_tta import add_masks, detect_boxes, predicts_masks
from mmdetpre.models.nms import hard_nms, soft_nms
from mmdetpre.models.size_range import checked_ranges, in_size_range
from mmdetpre.registry import MODELS

SOFT_NMS = dict(type="soft_nms", sigma=0.55, min_score=1e-3)
# Every box of a two-stage detector that may matter reaches the merge, which is then the only suppression.
ALL_BOXES = dict(rcnn=dict(score_thr=1e-3, nms=None, max_per_img=-1))
_MERGES: dict[str, tuple[Callable, set[str]]] = {
    "soft_nms": (soft_nms, {"sigma", "min_score"}),
    "nms": (hard_nms, {"iou_threshold", "min_score"}),
}


@MODELS.register_module()
class MultiScaleTTA(BaseTTAModel):
    """Detects at the scales of ``tta_pipeline``, keeps of each scale the sizes it is good at, and merges them.

    Each scale's images pass the detector as one batch. Its boxes come back in pixels of the original image, flipped
    views are mapped back, ``test_ranges`` filters them, and one suppression over all scales follows. A detector with a
    mask head (Mask R-CNN, SNIPER's) then gives the mask of each box that is kept, from the view that found it; the
    others cost nothing. In a config::

        tta_model = dict(type="mmdetpre.MultiScaleTTA", test_ranges=[(-1, 90), (32, 180), (75, -1)])
        tta_pipeline = [...]  # see configs/_base_/tta

    and ``mim test mmdet CONFIG --checkpoint CHECKPOINT --tta``.

    Args:
        module: The detector, as config or as module. A module is used as it is, a config is changed by
            ``module_test_cfg``.
        test_ranges: One pair ``(lo, hi)`` per scale, in the order of the pipeline's scales: sizes
            ``sqrt(width * height)`` in original pixels that are kept. An end that is not positive is open. None: all.
        merge: ``dict(type="soft_nms", sigma=0.55, min_score=1e-3)`` or ``dict(type="nms", iou_threshold=0.45)``.
        max_per_img: Detections kept per image; those as good as the last one stay too. None: all.
        class_agnostic: Detections of other classes suppress as well.
        range_reference: Longest image side in pixels that ``test_ranges`` are given for; other images multiply them by
            ``max(width, height) / range_reference``. None: the ranges hold for every image.
        module_test_cfg: Merged into the ``test_cfg`` of the detector. None: a detector with ``test_cfg.rcnn`` gives all
            boxes above a score of 0.001 without suppression, as SNIPER does; any other stays as it is.

    Raises:
        ValueError: If a setting is out of range, a key of ``merge`` is unknown, or the detector predicts masks in
            another way than Mask R-CNN; in the first batch, if the pipeline has another number of scales than
            ``test_ranges``.

    Source: section 4.1 of "An Analysis of Pre-Training on Object Detection" (2019), and SNIPER's released inference.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        test_ranges: Sequence[Sequence[float]] | None = None,
        merge: dict | None = None,
        max_per_img: int | None = 200,
        class_agnostic: bool = False,
        range_reference: float | None = None,
        module_test_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        self.test_ranges = checked_ranges(test_ranges)
        if range_reference is not None and range_reference <= 0:
            raise ValueError(f"range_reference is {range_reference}: give a longest image side (pixels) or None.")
        self.range_reference = range_reference
        self.merge = _checked_merge(SOFT_NMS if merge is None else merge)
        self.limits: dict[str, Any] = dict(max_per_img=max_per_img, class_agnostic=class_agnostic)
        self.suppress(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long))  # refuses bad settings now
        if isinstance(module, dict):
            module = _with_test_cfg(module, module_test_cfg)
        elif module_test_cfg is not None:
            raise ValueError("module_test_cfg changes a config, but the detector is built: give its config instead.")
        super().__init__(module, **kwargs)
        self.with_mask = predicts_masks(self.module)

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detections in each image of a batch of views, as ``TestTimeAug`` and a loader give it."""
        if not self.with_mask:
            return super().test_step(data)
        pairs = zip(data["inputs"], data["data_samples"], strict=True)
        views = [detect_boxes(self.module, dict(inputs=images, data_samples=samples)) for images, samples in pairs]
        merged = self.merge_preds(list(zip(*(view.samples for view in views), strict=True)))
        for i, sample in enumerate(merged):
            add_masks(self.module, views, i, sample.pred_instances)
        return merged

    def merge_preds(self, data_samples_list: Sequence[Sequence[DetDataSample]]) -> list[DetDataSample]:
        """One sample per image, from its samples at all scales and flips.

        The result is a copy of the first view's sample (the first unflipped one if there is any), with
        ``pred_instances`` in pixels of the original image, best first; their ``scales`` say which scale, in the order
        of the pipeline, each comes from, and with a mask head ``views``, which view.
        """
        return [self._merge_views(views) for views in data_samples_list]

    def suppress(
        self,
        boxes: Tensor,
        scores: Tensor,
        labels: Tensor,
        in_range: Tensor | None = None,
        **fields: Tensor,
    ) -> InstanceData:
        """Detections (N, 4), (N,), (N,) of one image after suppression, on the device of the boxes, best first.

        Only those of the mask ``in_range`` (N,) take part; it is applied on the host, where it makes no GPU wait.

        Args:
            boxes: (N, 4) xyxy in pixels of the original image.
            scores: (N,) scores.
            labels: (N,) class indices.
            in_range: (N,) bool; None: all take part.
            **fields: (N,) further values of each, which the result has too.
        """
        settings = dict(self.merge)
        function, _ = _MERGES[settings.pop("type")]
        arrays = [values.detach().cpu().numpy() for values in (boxes.float(), scores.float(), labels)]
        if in_range is None:
            keep, kept = function(*arrays, **settings, **self.limits)
        else:
            candidates = np.flatnonzero(in_range.cpu().numpy())
            keep, kept = function(*(values[candidates] for values in arrays), **settings, **self.limits)
            keep = candidates[keep]
        index = torch.from_numpy(keep).to(boxes.device)
        more = {name: values.to(index.device)[index] for name, values in fields.items()}
        kept_scores = torch.from_numpy(kept).to(scores)
        return InstanceData(bboxes=boxes[index], scores=kept_scores, labels=labels[index], **more)

    def _merge_views(self, views: Sequence[DetDataSample]) -> DetDataSample:
        order = _scale_of_each(views)
        ranges = self._range_of_each(order)
        boxes, chosen = [], []
        for view, size_range in zip(views, ranges, strict=True):
            shape = view.metainfo["ori_shape"][:2]
            here = get_box_tensor(view.pred_instances.bboxes)
            if view.metainfo.get("flip", False):
                here = bbox_flip(here, shape, view.metainfo["flip_direction"])
            boxes.append(here)
            if size_range is not None:
                factor = 1.0 if self.range_reference is None else max(shape) / self.range_reference
                chosen.append(in_size_range(here, size_range, factor))
        scores, labels = (torch.cat([view.pred_instances[key] for view in views]) for key in ("scores", "labels"))
        result = next((view for view in views if not view.metainfo.get("flip", False)), views[0]).clone()
        view_of = torch.repeat_interleave(torch.arange(len(views)), torch.tensor([len(here) for here in boxes]))
        origin = dict(scales=torch.tensor(order)[view_of]) | (dict(views=view_of) if self.with_mask else {})
        in_range = torch.cat(chosen) if chosen else None
        result.pred_instances = self.suppress(torch.cat(boxes), scores, labels, in_range, **origin)
        return result

    def _range_of_each(self, order: Sequence[int]) -> list[tuple[float, float] | None]:
        """The test range of each view, given its scale."""
        if self.test_ranges is None:
            return [None] * len(order)
        flips = Counter(order)
        scales = {i + 1 for i, count in flips.items() if flips[i + 1] < count}  # of each flip
        if scales != {len(self.test_ranges)}:
            found = " and ".join(map(str, sorted(scales)))
            raise ValueError(
                f"tta_pipeline has {found} scales but tta_model.test_ranges has {len(self.test_ranges)} pairs: give one"
                " (lo, hi) per scale, in the same order. If the pipeline flips, 'flip' and 'flip_direction' must be"
                " among the meta_keys of PackDetInputs."
            )
        return [self.test_ranges[scale] for scale in order]


def _scale_of_each(views: Sequence[DetDataSample]) -> list[int]:
    """The scale of each view: views of one flip come in the order of the scales."""
    seen: Counter = Counter()
    order = []
    for view in views:
        flip = (bool(view.metainfo.get("flip", False)), view.metainfo.get("flip_direction"))
        order.append(seen[flip])
        seen[flip] += 1
    return order


def _checked_merge(merge: dict) -> dict:
    kind = merge.get("type")
    if kind not in _MERGES:
        raise ValueError(f"merge.type is {kind!r}: known are {', '.join(map(repr, _MERGES))}.")
    unknown = set(merge) - _MERGES[kind][1] - {"type"}
    if unknown:
        known = ", ".join(sorted(_MERGES[kind][1]))
        raise ValueError(f"merge of type {kind!r} has unknown keys {sorted(unknown)}: known are {known}.")
    return dict(merge)


def _with_test_cfg(module: dict, changes: dict | None) -> dict:
    module = copy.deepcopy(module)
    test_cfg = module.get("test_cfg") or {}
    if changes is None:
        changes = ALL_BOXES if "rcnn" in test_cfg else {}
    if changes:
        merged = Config(dict(test_cfg=test_cfg))
        merged.merge_from_dict(dict(test_cfg=changes))
        module["test_cfg"] = merged.test_cfg
    return module
