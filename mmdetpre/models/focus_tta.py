"""Multi-scale inference from coarse to fine: finer scales look only where the coarser one saw small objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from mmengine.logging import MessageHub
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetpre.chips.focus_chips import FocusSettings, batches_by_size, focus_rectangles, near_inner_edge, to_next_scale
from mmdetpre.models.auto_focus import AutoFocus
from mmdetpre.models.multi_scale_tta import MultiScaleTTA
from mmdetpre.models.size_range import in_size_range
from mmdetpre.registry import MODELS

PERCENT = "test/focus_pixels_percent"
"""Tag of the log: pixels that passed the detector, of those of the whole images at all scales."""


@dataclass
class FocusView:
    """What one scale showed of one image.

    Attributes:
        size: Width and height of the image at this scale, pixels.
        ratio: The same over those of the original image.
        rectangles: (n, 4) what was looked at, pixels of this scale.
        focus: (h, w) probability that a cell is focus, 0 where nothing was looked at; None at the finest scale.
        boxes: (m, 4) detections, pixels of the original image.
        scores: (m,)
        labels: (m,)
        kept: (m,) bool, within the test range of the scale and not at an inner edge.
    """

    size: tuple[int, int]
    ratio: tuple[float, float]
    rectangles: np.ndarray
    focus: np.ndarray | None
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    kept: Tensor


@MODELS.register_module()
class FocusTTA(MultiScaleTTA):
    """`MultiScaleTTA` that looks at whole images at the coarsest scale only, and at FocusChips at the others.

    The detector's `FocusHead` says which cells of a map show small objects; rectangles around them, joined over the
    whole image, are what the next finer scale looks at. They are cut from its image, batched by size, and detections
    that end at an inner edge of a rectangle are dropped. The pipeline is that of `MultiScaleTTA`, finest scale first.
    With thresholds of 0 every scale looks at everything, and the result is that of `MultiScaleTTA`. In a config::

        _base_ = [..., "../_base_/models/autofocus.py", "../_base_/tta/autofocus_three_scales.py"]

    The log has the percentage of pixels that passed the detector, of those that whole images at all scales have;
    padding counts. Of several ranks it is that of the first.

    Args:
        module: The detector, `AutoFocus`.
        focus: Settings of `mmdetpre.chips.focus_chips.FocusSettings` for the rectangles of each scale but the coarsest,
            finest first: ``dict(threshold=0.2, dilation=3, min_side=20)``, the last two in cells of the coarser map.
        edge_margin: A detection that ends nearer to an inner edge of its rectangle is dropped, pixels.
        edge_pixels: ``"scale"``: pixels of the scale; ``"original"``: of the original image, as in the original.
        options: What `MultiScaleTTA` takes.

    Raises:
        ValueError: If the detector has no focus branch or has a mask head, or a setting is out of range; in the first
            batch, if the pipeline has another number of scales, or they are not listed from fine to coarse.

    Source: M. Najibi et al., "AutoFocus: Efficient Multi-Scale Inference" (2019).
    """

    module: AutoFocus

    def __init__(
        self,
        module: Any,
        focus: Sequence[dict],
        edge_margin: float = 10.0,
        edge_pixels: str = "scale",
        **options: Any,
    ) -> None:
        super().__init__(module, **options)
        if not isinstance(self.module, AutoFocus):
            raise ValueError(
                f"FocusTTA needs a detector with a focus branch, and {type(self.module).__name__} has none: add"
                " ../_base_/models/autofocus.py to _base_ and train, or test with mmdetpre.MultiScaleTTA."
            )
        if self.with_mask:
            raise ValueError("FocusTTA merges boxes, not masks: set model.roi_head.mask_head=None.")
        if edge_pixels not in ("scale", "original") or edge_margin < 0:
            raise ValueError(
                f"edge_margin is {edge_margin} and edge_pixels {edge_pixels!r}: give a number of pixels of the 'scale'"
                " or of the 'original'."
            )
        if self.test_ranges is not None and len(self.test_ranges) != len(focus) + 1:
            raise ValueError(
                f"tta_model has {len(self.test_ranges)} test_ranges and {len(focus)} entries of focus: give one for"
                " each scale but the coarsest."
            )
        self.focus = [FocusSettings(**one) for one in focus]
        self.edge_margin, self.edge_pixels = edge_margin, edge_pixels
        self.seen_pixels = self.all_pixels = 0

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detections in each image of a batch of views, as ``TestTimeAug`` and a loader give it."""
        found = [self.merge_looks(sample, views) for sample, views in self.look(data)]
        percent = 100 * self.seen_pixels / max(self.all_pixels, 1)
        MessageHub.get_current_instance().update_scalar(PERCENT, percent)
        return found

    def merge_looks(self, sample: DetDataSample, views: Sequence[FocusView]) -> DetDataSample:
        """The sample with the detections that one suppression leaves of those that the views keep.

        Args:
            sample: Meta information of the image.
            views: What the scales showed.
        """
        boxes, scores, labels, kept = (
            torch.cat([getattr(view, name) for view in reversed(views)])
            for name in ("boxes", "scores", "labels", "kept")
        )
        result = sample.clone()
        counts = torch.tensor([len(view.scores) for view in views])
        scales = torch.repeat_interleave(torch.arange(len(views)).flip(0), counts)  # as in the pipeline, finest first
        result.pred_instances = self.suppress(boxes, scores, labels, kept, scales=scales)
        return result

    def look(self, data: dict) -> list[tuple[DetDataSample, list[FocusView]]]:
        """What the scales show of each image of a batch: its sample, and a view per scale, coarsest first.

        Args:
            data: ``inputs`` and ``data_samples``, lists over scales, from fine to coarse, of lists over images.

        Raises:
            ValueError: If the scales are not as many as there are settings, or not from fine to coarse.
        """
        inputs, samples = data["inputs"], data["data_samples"]
        self._check(inputs, samples)
        scales: list[list[FocusView]] = []
        for level in reversed(range(len(inputs))):
            scales.append(self._look(inputs[level], samples[level], level, scales[-1] if scales else None))
        return [(sample, list(views)) for sample, *views in zip(samples[0], *scales, strict=True)]

    def _check(self, inputs: Sequence[Sequence[Tensor]], samples: Sequence[Sequence[DetDataSample]]) -> None:
        widths = [images[0].shape[2] for images in inputs]
        flipped = any(view[0].metainfo.get("flip", False) for view in samples)
        if flipped or len(widths) != len(self.focus) + 1 or widths != sorted(widths, reverse=True):
            raise ValueError(
                f"tta_pipeline gives {len(widths)} views, {', '.join(map(str, widths))} pixels wide"
                f"{', some of them flipped' if flipped else ''}: tta_model.focus needs {len(self.focus) + 1} scales,"
                " the finest first, and no flip."
            )

    def _look(
        self, images: Sequence[Tensor], samples: Sequence[DetDataSample], level: int, before: list[FocusView] | None
    ) -> list[FocusView]:
        """What one scale shows of each image, given what the coarser one showed."""
        views = [self._empty(image, sample, level) for image, sample in zip(images, samples, strict=True)]
        for i, view in enumerate(views):
            if before is not None:
                view.rectangles = self._rectangles(before[i], view.size, level)
        chips = [(i, rectangle) for i, view in enumerate(views) for rectangle in view.rectangles]
        width, height = np.array([view.size for view in views]).max(axis=0).tolist()
        sides = np.array([rectangle[2:] - rectangle[:2] for _, rectangle in chips])
        found: list[list[InstanceData]] = [[] for _ in views]
        for batch in batches_by_size(sides, len(images) * width * height):
            chosen = [chips[k] for k in batch]
            cut = [images[i][:, y1:y2, x1:x2] for i, (x1, y1, x2, y2) in chosen]
            metas = [_meta(samples[i], one) for (i, _), one in zip(chosen, cut, strict=True)]
            for (i, rectangle), one in zip(chosen, self._detect(cut, metas, views, chosen), strict=True):
                found[i].append(self._placed(views[i], rectangle, one, samples[i], level))
        for view, parts in zip(views, found, strict=True):
            if parts:
                for name in ("boxes", "scores", "labels", "kept"):
                    setattr(view, name, torch.cat([part[name] for part in parts]))
        divisor = getattr(self.module.data_preprocessor, "pad_size_divisor", 1)
        self.all_pixels += len(images) * (-(-width // divisor) * divisor) * (-(-height // divisor) * divisor)
        return views

    def _empty(self, image: Tensor, sample: DetDataSample, level: int) -> FocusView:
        """The view of a whole image, before anything is seen."""
        (height, width), stride = image.shape[1:], self.module.focus_head.featmap_stride
        old_height, old_width = sample.metainfo["ori_shape"][:2]
        return FocusView(
            size=(width, height),
            ratio=(width / old_width, height / old_height),
            rectangles=np.array([[0, 0, width, height]]),
            focus=np.zeros((-(-height // stride), -(-width // stride)), np.float32) if level else None,
            boxes=torch.zeros(0, 4),
            scores=torch.zeros(0),
            labels=torch.zeros(0, dtype=torch.long),
            kept=torch.zeros(0, dtype=torch.bool),
        )

    def _rectangles(self, before: FocusView, size: tuple[int, int], level: int) -> np.ndarray:
        """FocusChips (n, 4) in pixels of a scale, from the map of the coarser one."""
        assert before.focus is not None
        cells = focus_rectangles(before.focus, self.focus[level])
        return to_next_scale(cells, self.module.focus_head.featmap_stride, before.size, size)

    def _detect(
        self,
        images: list[Tensor],
        samples: list[DetDataSample],
        views: list[FocusView],
        chips: list[tuple[int, np.ndarray]],
    ) -> list[InstanceData]:
        """Detections of some rectangles on the host; their focus goes into the maps of the views."""
        batch = self.module.data_preprocessor(dict(inputs=images, data_samples=samples), False)
        self.seen_pixels += len(batch["inputs"]) * batch["inputs"].shape[2] * batch["inputs"].shape[3]
        if views[0].focus is None:
            return [one.pred_instances.cpu() for one in self.module.predict(batch["inputs"], batch["data_samples"])]
        found, probability = self.module.predict_with_focus(batch["inputs"], batch["data_samples"])
        stride = self.module.focus_head.featmap_stride
        for (i, rectangle), cells in zip(chips, probability.cpu().numpy(), strict=True):
            (x, y), whole = rectangle[:2] // stride, views[i].focus
            assert whole is not None
            place = whole[y : -(-rectangle[3] // stride), x : -(-rectangle[2] // stride)]
            place[:] = cells[: place.shape[0], : place.shape[1]]
        return [one.pred_instances.cpu() for one in found]

    def _placed(
        self, view: FocusView, rectangle: np.ndarray, found: InstanceData, sample: DetDataSample, level: int
    ) -> dict[str, Tensor]:
        """Detections of a rectangle in pixels of the original image, and which of them are kept."""
        ratio = np.array(view.ratio * 2)
        boxes = get_box_tensor(found.bboxes).float()
        boxes = boxes + boxes.new_tensor((rectangle[:2] / ratio[:2]).tolist() * 2)
        height, width = sample.metainfo["ori_shape"][:2]
        if self.edge_pixels == "scale":
            near = near_inner_edge(boxes.numpy() * ratio, rectangle, view.size, self.edge_margin)
        else:
            near = near_inner_edge(boxes.numpy(), rectangle / ratio, (width, height), self.edge_margin)
        kept = ~torch.from_numpy(near)
        if self.test_ranges is not None:
            factor = 1.0 if self.range_reference is None else max(height, width) / self.range_reference
            kept &= in_size_range(boxes, self.test_ranges[level], factor)
        return dict(boxes=boxes, scores=found.scores.float(), labels=found.labels, kept=kept)


def _meta(sample: DetDataSample, image: Tensor) -> DetDataSample:
    """What the detector has to know of a part of an image at a scale."""
    known = sample.metainfo
    named = {key: known[key] for key in ("img_id", "img_path", "ori_shape", "scale_factor") if key in known}
    return DetDataSample(metainfo=dict(named, img_shape=tuple(image.shape[1:])))
