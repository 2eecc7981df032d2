"""Numbers of a run by class and by size of objects, with the same on resamples of the test images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmdetpre.evaluation.bootstrap.resampled import (
    Resampled,
    image_counts,
    mean_over_classes,
    resampled_class_accuracy,
    resampled_class_iou,
)
from mmdetpre.study.layout import config_path
from mmdetpre.study.records import Part
from mmdetpre.utils.read_config import read_config

if TYPE_CHECKING:
    from mmdetpre.evaluation.detections.detections import Detections
    from mmdetpre.study.runs.run_folder import Job

CLASS, SIZE = "class", "size"
RESAMPLES = 200
"""Of each part: the variance of a difference is then known to a tenth."""
MOST_CLASSES = 100
"""Of more than so many classes no resamples are kept: a record would be too long."""
SIZES: Mapping[str, tuple[float, float]] = {
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, np.inf),
}
"""Areas in pixels, as COCO has them."""
_COCO_SIZES = {"s": "small", "m": "medium", "l": "large"}


def detection_parts(run: Detections, mode: str) -> list[Part]:
    """AP at IoU 0.5 of each class, and its mean over the classes for small, medium and large objects.

    Args:
        run: Detections with ground truth.
        mode: Of VOC's AP.
    """
    from mmdetpre.evaluation.voc_ap.average_precision import areas_within
    from mmdetpre.evaluation.voc_ap.resampled import resampled_class_ap

    truth, counts = run.ground_truth(), _counts(len(run.names))
    counted, measure = ~truth.ignore, "AP at IoU 0.5"
    objects = np.bincount(truth.labels[counted], minlength=len(run.classes)).tolist()
    ap = resampled_class_ap(run, counts, mode=mode)[:, :, 0]
    parts = _parts(CLASS, measure, run.names, dict(zip(run.classes, objects, strict=True)), ap)
    for name, areas in SIZES.items():
        of_size = int((counted & areas_within(truth.boxes, areas, run.plus_one)).sum())
        ap = np.full((1, len(counts)), np.nan)
        if of_size:
            ap = mean_over_classes(resampled_class_ap(run, counts, mode=mode, areas=areas))[None, :, 0]
        parts += _parts(SIZE, f"m{measure}", run.names, {name: of_size}, ap)
    return parts


def segmentation_parts(names: Sequence[str], classes: Sequence[str], confusion: np.ndarray) -> list[Part]:
    """IoU of each class in whole images.

    Args:
        names: Of N images.
        classes: Of C classes.
        confusion: (N, 3, C) per image the pixels of each class that are right, true, and predicted.
    """
    images = (confusion[:, 1] > 0).sum(axis=0).tolist()
    iou = resampled_class_iou(confusion, _counts(len(names)))
    return _parts(CLASS, "IoU", names, dict(zip(classes, images, strict=True)), iou)


def classification_parts(
    names: Sequence[str], classes: Sequence[str], labels: np.ndarray, right: np.ndarray
) -> list[Part]:
    """Accuracy of each class.

    Args:
        names: Of N images.
        classes: Of C classes.
        labels: (N,) class indices.
        right: (N,) whether an image is classified right.
    """
    images = np.bincount(labels, minlength=len(classes)).tolist()
    accuracy = resampled_class_accuracy(right, labels, _counts(len(names)), len(classes))
    return _parts(CLASS, "accuracy", names, dict(zip(classes, images, strict=True)), accuracy)


def coco_parts(scores: Mapping[str, float]) -> list[Part]:
    """Numbers by class and by size among those of COCO's metric, without resamples; none of another metric.

    Args:
        scores: Values from 0 to 1 by the names that mmdet gives.

    Example:
        >>> [(p.by, p.name, p.value) for p in coco_parts({"coco/bbox_mAP_s": 0.25, "coco/cat_precision": 0.5})]
        [('class', 'cat', 50.0), ('size', 'small', 25.0)]
    """
    measure = "AP at IoU 0.5 to 0.95"
    prefix = next((name.partition("bbox_mAP")[0] for name in scores if "/bbox_mAP" in name), "")
    own = {name.removeprefix(prefix): value for name, value in scores.items() if prefix and name.startswith(prefix)}
    ending = "_precision"
    classes = {name.removesuffix(ending): value for name, value in own.items() if name.endswith(ending)}
    sizes = {size: own[f"bbox_mAP_{key}"] for key, size in _COCO_SIZES.items() if f"bbox_mAP_{key}" in own}
    parts = [Part(CLASS, name, measure, _percent(value)) for name, value in classes.items()]
    return parts + [Part(SIZE, name, f"m{measure}", _percent(value)) for name, value in sizes.items()]


def by_class(job: Job) -> list[str]:
    """Options of a test with which COCO's metrics also give the AP of each class."""
    config = config_path(job.out, str(job.settings.get("tested", job.id)))
    found = read_config(config).get("test_evaluator") or {}
    if not isinstance(found, list | tuple):
        return ["test_evaluator.classwise=True"] if _is_coco(found) else []
    return [f"test_evaluator.{i}.classwise=True" for i, one in enumerate(found) if _is_coco(one)]


def _is_coco(evaluator: Mapping[str, object]) -> bool:
    return str(evaluator.get("type")).rpartition(".")[2] == "CocoMetric" and not evaluator.get("format_only")


def _counts(images: int) -> np.ndarray:
    """Every image once, then the resamples."""
    return np.vstack([np.ones((1, images), np.int32), image_counts(images, RESAMPLES)])


def _parts(by: str, measure: str, images: Sequence[str], counts: Mapping[str, int], values: np.ndarray) -> list[Part]:
    """Parts of values (C, 1 + B), of all images and of resamples."""
    keep = len(counts) <= MOST_CLASSES
    return [
        Part(by, name, measure, _percent(row[0] / 100), count, Resampled.of(images, row[1:], 2) if keep else None)
        for (name, count), row in zip(counts.items(), values, strict=True)
    ]


def _percent(value: float) -> float | None:
    """Of a value from 0 to 1; None for what was not measured: NaN, or COCO's -1."""
    return 100 * float(value) if math.isfinite(value) and value >= 0 else None
