"""A detector at one scale as an ONNX file: image in, boxes after non-maximum suppression out."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from mmcv.ops import RoIAlign
from mmdet.models.dense_heads import RPNHead, base_dense_head
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torchvision.ops import nms

from mmdetpre.inference.build_model import build_model
from mmdetpre.inference.load_weights import load_whole
from mmdetpre.inference.onnx_file import Outputs, RGBInput, check_onnx, write_onnx
from mmdetpre.models.chip_rpn_head import ChipRPNHead
from mmdetpre.utils.read_config import ConfigSource


def export_detector_onnx(
    config: ConfigSource,
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    size: tuple[int, int],
    image: np.ndarray,
    *,
    overwrite: bool = False,
) -> tuple[float, int]:
    """Write a detector of one scale as ONNX, if onnxruntime detects what its own ``predict`` does.

    The file takes ``image``, (1, 3, H, W) float32 RGB from 0 to 255 in this size, and gives ``boxes`` (n, 4), x1, y1,
    x2, y2 in its pixels, ``scores`` (n,) in descending order and ``labels`` (n,), with thresholds and non-maximum
    suppression of the config's ``test_cfg``.

    Args:
        config: Config of the detector.
        checkpoint: Its checkpoint.
        path: The file.
        size: Height and width of the images.
        image: (h, w, 3) uint8 RGB with objects, of any size: what is found there is compared.
        overwrite: Replace an existing file.

    Returns:
        The largest difference of a detection, relative (`detections_difference`), and how many were compared.

    Raises:
        FileExistsError, OSError, ValueError: As `mmdetpre.inference.onnx_file.check_onnx` and ``write_onnx``.
        ValueError: If checkpoint and config do not fit, the size is one that the detector pads, it works in a way that
            is not exported, or finds nothing in the image.
    """
    check_onnx(path, overwrite)
    built = build_model(config)
    divisor = getattr(built.model.data_preprocessor, "pad_size_divisor", 1)
    if min(size) < 1 or any(side % divisor for side in size):
        fit = " ".join(str(max(-(-side // divisor), 1) * divisor) for side in size)
        raise ValueError(f"--size is {size[0]} {size[1]}: the config wants multiples of {divisor}, such as {fit}.")
    classes = load_whole(built.cfg, built.model, checkpoint)
    module = RGBInput(SingleScaleDetector(built.model, size), built.preprocessing).eval()
    reference = RGBInput(_Predict(built.model, size), built.preprocessing).eval()
    pixels = torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)[None]
    pixels = nn.functional.interpolate(pixels, size, mode="bilinear", align_corners=False)
    with torch.no_grad():
        count = len(reference(pixels)[0])
    if not count:
        raise ValueError("The detector finds nothing in the image, so nothing can be compared: give one with objects.")
    difference = write_onnx(
        module,
        [pixels],
        path,
        ("boxes", "scores", "labels"),
        metadata={"classes": json.dumps(classes)},
        reference=reference,
        difference=detections_difference,
        overwrite=overwrite,
    )
    return difference, count


class SingleScaleDetector(nn.Module):
    """A detector of mmdet with as many candidates for every image, so that it can be exported.

    mmdet leaves boxes below the threshold out early, and decides by their number. Here they stay, with a score of 0,
    until the last step.

    Args:
        model: Detector with a head of mmdet's common decoding; or of two stages, with one box head and without a
            cascade. It is copied.
        size: Height and width of the images.

    Raises:
        ValueError: If a part of the detector decodes in a way of its own.
    """

    def __init__(self, model: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.model: Any = copy.deepcopy(model).eval()
        self.meta = _meta(size)
        self.side = float(max(size))
        two_stages = isinstance(model, TwoStageDetector)
        if not two_stages and not isinstance(model, SingleStageDetector):
            raise ValueError(f"{type(model).__name__} is exported neither as a single-stage nor a two-stage detector.")
        dense: Any = self.model.rpn_head if two_stages else self.model.bbox_head
        if not isinstance(dense, ChipRPNHead):
            kind = RPNHead if two_stages else BaseDenseHead
            _require(dense, kind, "predict_by_feat", "_predict_by_feat_single", "_bbox_post_process")
            dense._bbox_post_process = _as_they_are
        _check_nms(dense.test_cfg)
        if two_stages:
            head: Any = self.model.roi_head
            _require(head, StandardRoIHead, "predict_bbox")
            _require(head.bbox_head, BBoxHead, "predict_by_feat", "_predict_by_feat_single")
            _require(head.bbox_roi_extractor, SingleRoIExtractor, "forward")
            _check_nms(head.test_cfg)
            head.bbox_roi_extractor = _EveryLevel(head.bbox_roi_extractor)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4), scores (n,) and labels (n,) of a normalized image (1, 3, H, W)."""
        features = self.model.extract_feat(x)
        two_stages = isinstance(self.model, TwoStageDetector)
        head = self.model.roi_head if two_stages else self.model.bbox_head
        candidates = self._of_regions(features) if two_stages else self._of_places(features)
        boxes, scores, labels = _best(*candidates, head.test_cfg, self.side)
        kept = scores > 0
        return boxes[kept], scores[kept], labels[kept]

    def _of_places(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        head = self.model.bbox_head
        with patch.object(base_dense_head, "filter_scores_and_topk", _top_candidates):
            [found] = head.predict_by_feat(*head(features), batch_img_metas=[self.meta], with_nms=False)
        scores = found.scores * found.score_factors if "score_factors" in found else found.scores
        return found.bboxes, _large(found.bboxes, scores, head.test_cfg), found.labels

    def _of_regions(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        regions, objectness = self._regions(features)
        head, cfg = self.model.roi_head, self.model.roi_head.test_cfg
        rois = torch.cat([regions.new_zeros(len(regions), 1), regions], dim=1)
        outputs = head._bbox_forward(features, rois)
        found = head.bbox_head._predict_by_feat_single(rois, outputs["cls_score"], outputs["bbox_pred"], self.meta)
        scores = found.scores[:, :-1]
        count, classes = scores.shape
        scores = torch.where((scores > cfg.score_thr) & (objectness > 0)[:, None], scores, 0.0)
        boxes = found.bboxes.reshape(count, -1, 4).expand(count, classes, 4)
        labels = torch.arange(classes, device=scores.device).expand(count, classes)
        return boxes.reshape(-1, 4), scores.reshape(-1), labels.reshape(-1)

    def _regions(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        rpn = self.model.rpn_head
        cfg = rpn.test_cfg
        maps: Any = rpn(features)
        if isinstance(rpn, ChipRPNHead):
            [boxes], [scores] = rpn.candidates(maps[0], maps[1], [self.meta], cfg)
            levels = torch.zeros_like(scores, dtype=torch.long)
        else:
            [found] = rpn.predict_by_feat(*maps, batch_img_metas=[self.meta], cfg=cfg)
            boxes, scores, levels = found.bboxes, _large(found.bboxes, found.scores, cfg), found.level_ids
        boxes, scores, _ = _best(boxes, scores, levels, cfg, self.side)
        return boxes, scores


def _best(boxes: Tensor, scores: Tensor, groups: Tensor, cfg: Mapping[str, Any], side: float) -> tuple[Tensor, ...]:
    """The best ``max_per_img`` boxes, scores and groups after suppression in each group; the rest have a score of 0."""
    among = torch.nonzero(scores > 0).squeeze(1)
    apart = 0.0 if cfg["nms"].get("class_agnostic") else side + 1
    chosen, chosen_scores = boxes[among], scores[among]
    kept = nms(chosen + (groups[among] * apart)[:, None].to(boxes), chosen_scores, float(cfg["nms"]["iou_threshold"]))
    after = torch.zeros_like(scores).index_put((among[kept],), chosen_scores[kept])
    limit = cfg.get("max_per_img", -1)
    top, order = after.topk(min(limit, len(scores)) if limit > 0 else len(scores))
    return boxes[order], top, groups[order]


def _top_candidates(scores: Tensor, score_thr: float, topk: int, results: Mapping[str, Tensor]) -> tuple[Any, ...]:
    """mmdet's ``filter_scores_and_topk``, which gives a score of 0 to what is below the threshold."""
    flat = scores.reshape(-1)
    top, order = flat.topk(min(topk, len(flat)) if topk > 0 else len(flat))
    places, labels = order // scores.shape[1], order % scores.shape[1]
    return top.where(top > score_thr, 0.0), labels, places, {key: value[places] for key, value in results.items()}


def detections_difference(expected: Outputs, found: Outputs) -> float:
    """Largest difference of a detection from the same one of another run, relative to the largest coordinate or score.

    Detections are paired one to one by class and place: their order is free, since scores may be equal to the last
    digits. One of another class, or that the other run lacks, is a difference of 1.

    Args:
        expected: Boxes (n, 4), scores (n,) and labels (n,).
        found: Likewise.

    Example:
        >>> boxes, scores = np.array([[0.0, 0, 8, 8], [4, 4, 10, 10]]), np.array([0.8, 0.4])
        >>> a, b = (boxes, scores, np.array([0, 1])), (boxes[::-1], scores[::-1] + 0.004, np.array([1, 0]))
        >>> round(detections_difference(a, b), 4), detections_difference(a, [part[:1] for part in a])
        (0.005, 1.0)
    """
    (boxes, scores, labels), (other_boxes, other_scores, other_labels) = expected, found
    if len(boxes) != len(other_boxes):
        return 1.0
    of_boxes = np.abs(boxes[:, None] - other_boxes).max(2) / max(np.abs(boxes).max(initial=0), 1e-12)
    of_scores = np.abs(scores[:, None] - other_scores) / max(scores.max(initial=0), 1e-12)
    differences = np.where(labels[:, None] == other_labels, np.maximum(of_boxes, of_scores), 1.0)
    return float(differences[linear_sum_assignment(np.nan_to_num(differences, nan=1.0))].max(initial=0))


class _Predict(nn.Module):
    """What the detector itself finds."""

    def __init__(self, model: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.model: Any = model
        self.size = size

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        [sample] = self.model.predict(x, [DetDataSample(metainfo=_meta(self.size))], rescale=False)
        found = sample.pred_instances
        return found.bboxes, found.scores, found.labels


class _EveryLevel(nn.Module):
    """mmdet's ``SingleRoIExtractor`` that pools every region from every level, and keeps what its level gives."""

    def __init__(self, extractor: SingleRoIExtractor) -> None:
        super().__init__()
        self.extractor = extractor
        for layer in extractor.roi_layers:
            if not isinstance(layer, RoIAlign) or layer.pool_mode != "avg":
                raise ValueError(f"Regions are pooled by {type(layer).__name__}: only an average RoIAlign is exported.")
            layer.use_torchvision = True  # ONNX has this operator

    @property
    def num_inputs(self) -> int:
        return self.extractor.num_inputs

    def forward(self, features: Sequence[Tensor], rois: Tensor) -> Tensor:
        pooled = [layer(x, rois) for layer, x in zip(self.extractor.roi_layers, features, strict=True)]
        if len(pooled) == 1:
            return pooled[0]
        levels = self.extractor.map_roi_levels(rois, len(pooled))
        return sum(x * (levels == i).view(-1, 1, 1, 1).to(x) for i, x in enumerate(pooled))


def _meta(size: tuple[int, int]) -> dict[str, Any]:
    names = ("img_shape", "ori_shape", "pad_shape", "batch_input_shape")
    return {**dict.fromkeys(names, tuple(size)), "scale_factor": (1.0, 1.0)}


def _as_they_are(results: InstanceData, *args: Any, **kwargs: Any) -> InstanceData:
    return results


def _large(boxes: Tensor, scores: Tensor, cfg: Mapping[str, Any]) -> Tensor:
    """Scores, 0 of boxes that are too small."""
    least = cfg.get("min_bbox_size", -1)
    if least < 0:
        return scores
    sides = boxes[:, 2:] - boxes[:, :2]
    return torch.where((sides > least).all(1), scores, 0.0)


def _require(part: Any, kind: type, *methods: str) -> None:
    """A part that computes as mmdet's class does, whatever else it does in training."""
    for method in methods:
        if getattr(type(part), method, None) is not getattr(kind, method):
            raise ValueError(
                f"{type(part).__name__} is not exported: it decodes otherwise than mmdet's {kind.__name__}. Export the"
                " backbone alone, without --detector."
            )


def _check_nms(cfg: Mapping[str, Any]) -> None:
    kind = cfg["nms"].get("type", "nms")
    if kind != "nms":
        raise ValueError(
            f"test_cfg suppresses by {kind!r}, which ONNX does not know: set nms=dict(type='nms', iou_threshold=...)."
        )
