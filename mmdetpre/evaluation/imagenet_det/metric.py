"""Evaluation on ILSVRC-DET of detectors with other, usually finer, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetpre.evaluation.detections.metric import ImageResult, image_result, join_results
from mmdetpre.evaluation.imagenet_det.average_precision import imagenet_det_average_precision
from mmdetpre.evaluation.imagenet_det.class_mapping import class_mapping, wordnet_class_map
from mmdetpre.evaluation.imagenet_det.scores import DETScores
from mmdetpre.models.nms import hard_nms
from mmdetpre.registry import METRICS
from mmdetpre.utils.class_list import read_class_list


@METRICS.register_module()
class ImageNetDETMetric(BaseMetric):
    """mAP by the rules of ILSVRC's detection task, after the model's classes are mapped to those of the data set.

    Detections of classes that map to nothing are dropped. Where several classes of the model map to one class (the
    breeds to "dog"), non-maximum suppression of that class follows, or each object would be found several times.

    Args:
        classes: WordNet ids of the model's classes in label order, a list or a file with one per line.
        class_map: Target id by class id, or a file of such pairs, see
            :func:`mmdetpre.evaluation.imagenet_det.class_mapping.class_mapping`. ``None``: that of the data set, else
            equal ids.
        is_a_file: Instead of ``class_map``: ImageNet's ``wordnet.is_a.txt``; each class goes to the nearest class of
            the data set that it is a kind of.
        iou_thr: IoU that counts as found; less for boxes below 25 pixels, see
            :func:`mmdetpre.evaluation.imagenet_det.average_precision.imagenet_det_average_precision`.
        merge_iou_thr: IoU of that suppression; ``None``: none.
        collect_device: "cpu" or "gpu", how results of several ranks are gathered.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If both ``class_map`` and ``is_a_file`` are given, they map nothing, the model's labels are beyond
            ``classes``, or there is no ground truth.

    Source: ILSVRC-DET results of the paper's section 4 (37.4 mAP) and of R-FCN-3000.

    Example:
        >>> ImageNetDETMetric(["n02088364", "n02110958"], dict(n02088364="n02084071")).iou_thr
        0.5
    """

    default_prefix = "imagenet_det"

    def __init__(
        self,
        classes: str | Sequence[str],
        class_map: str | Mapping[str, str] | None = None,
        is_a_file: str | None = None,
        iou_thr: float = 0.5,
        merge_iou_thr: float | None = 0.45,
        collect_device: str = "cpu",
    ) -> None:
        super().__init__(collect_device=collect_device)
        if class_map is not None and is_a_file is not None:
            raise ValueError("class_map and is_a_file both say what the classes map to: drop one of them.")
        self.classes = read_class_list(classes)
        self.class_map, self.is_a_file = class_map, is_a_file
        self.iou_thr, self.merge_iou_thr = iou_thr, merge_iou_thr
        self._mapping: np.ndarray | None = None

    @property
    def mapping(self) -> np.ndarray:
        """Label in the data set of each of the model's classes, -1 for none."""
        if self._mapping is None:
            targets = list(self.dataset_meta.get("wnids") or self.dataset_meta["classes"])
            class_map = self.dataset_meta.get("class_map") if self.class_map is None else self.class_map
            if self.is_a_file is not None:
                class_map = wordnet_class_map(self.is_a_file, self.classes, targets)
            self._mapping = class_mapping(self.classes, targets, class_map)
            found = np.unique(self._mapping[self._mapping >= 0])
            print_log(
                f"{np.count_nonzero(self._mapping >= 0)} of the model's {len(self.classes)} classes map to {len(found)}"
                f" of the {len(targets)} classes that are evaluated.",
                "current",
            )
        return self._mapping

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the mapped detections of one batch of tested images."""
        self.results.extend(self._mapped(image_result(sample)) for sample in data_samples)

    def _mapped(self, result: ImageResult) -> ImageResult:
        mapping = self.mapping
        if len(result.labels) and result.labels.max() >= len(mapping):
            raise ValueError(
                f"the model detects label {result.labels.max()}, but `classes` of ImageNetDETMetric names"
                f" {len(mapping)} classes: list all classes of the model in label order."
            )
        labels = mapping[result.labels]
        kept = np.flatnonzero(labels >= 0)
        if self.merge_iou_thr is not None:
            shared = np.bincount(mapping[mapping >= 0], minlength=mapping.max() + 1) > 1
            crowd = kept[shared[labels[kept]]]
            best, _ = hard_nms(
                result.boxes[crowd],
                result.scores[crowd],
                labels[crowd],
                iou_threshold=self.merge_iou_thr,
                max_per_img=None,
            )
            kept = np.concatenate([kept[~shared[labels[kept]]], crowd[best]])
        return replace(
            result, boxes=result.boxes[kept], scores=result.scores[kept], labels=labels[kept].astype(np.int32)
        )

    def compute_metrics(self, results: list[ImageResult]) -> dict[str, float]:
        """``mAP`` over the classes that have boxes, the number of these ``classes``, and ``mAP_mapped``: over those of
        them that a class of the model maps to."""
        run = join_results(results, self.dataset_meta["classes"])
        ap = imagenet_det_average_precision(run, self.iou_thr)
        boxes = np.bincount(run.ground_truth().labels, minlength=len(ap))
        found = np.bincount(run.labels, minlength=len(ap))
        mapped = np.isin(np.arange(len(ap)), self.mapping)
        scores = DETScores.of_arrays(run.classes, boxes, found, ap, mapped)
        print_log(f"\n{scores}", "current")
        return scores.metrics()
