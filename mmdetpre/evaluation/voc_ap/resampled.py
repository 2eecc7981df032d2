"""Mean average precision of VOC on resamples of the test images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmdetpre.evaluation.bootstrap.resampled import mean_over_classes
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.voc_ap.average_precision import JudgedClass, check_iou_thrs, judged_classes

_VALUES = 1 << 21  # numbers of an array: 16 MB


def resampled_mean_ap(
    run: Detections,
    counts: np.ndarray,
    iou_thrs: Sequence[float] = (0.5,),
    *,
    mode: str = "area",
    plus_one: bool | None = None,
) -> np.ndarray:
    """(B, T) mean AP in percent on each resample, at each threshold, over the classes with a box in the resample.

    An image that is in a resample twice counts twice, with its detections and its boxes. Detections are matched once.

    Args:
        run: Detections with ground truth, of N images.
        counts: (B, N) how often each image is in each resample, see `mmdetpre.evaluation.bootstrap`.
        iou_thrs, mode, plus_one: As for `voc_average_precision`, whose rules and errors these are.

    Raises:
        ValueError: Also if ``counts`` is of another number of images.

    Example:
        >>> from mmdetpre.evaluation.detections.detections import GroundTruth
        >>> truth = GroundTruth([0, 1], [[0, 0, 9, 9], [0, 0, 9, 9]], [0, 0], [False, False])
        >>> run = Detections(("cat",), ("a", "b"), [0], [[0, 0, 9, 9]], [0.9], [0], truth=truth, plus_one=True)
        >>> resampled_mean_ap(run, np.array([[1, 1], [2, 0], [0, 2]])).ravel().tolist()
        [50.0, 100.0, 0.0]
    """
    return mean_over_classes(resampled_class_ap(run, counts, iou_thrs, mode=mode, plus_one=plus_one))


def resampled_class_ap(
    run: Detections,
    counts: np.ndarray,
    iou_thrs: Sequence[float] = (0.5,),
    *,
    mode: str = "area",
    plus_one: bool | None = None,
    areas: tuple[float, float] | None = None,
) -> np.ndarray:
    """(C, B, T) AP in percent of each class, as for `resampled_mean_ap`; NaN where a class has no box.

    Args:
        run, counts, iou_thrs, mode, plus_one: As there.
        areas: Objects of other areas in pixels are ignored, and detections of other areas that match nothing: COCO's
            rule for small, medium and large objects. None: all areas count.

    Example:
        >>> from mmdetpre.evaluation.detections.detections import GroundTruth
        >>> truth = GroundTruth([0, 1], [[0, 0, 9, 9], [0, 0, 99, 99]], [0, 0], [False, False])
        >>> run = Detections(("cat",), ("a", "b"), [0], [[0, 0, 9, 9]], [0.9], [0], truth=truth, plus_one=True)
        >>> [float(resampled_class_ap(run, np.array([[1, 1]]), areas=a)[0, 0, 0]) for a in ((0, 1024), (9216, np.inf))]
        [100.0, 0.0]
    """
    thresholds = check_iou_thrs(iou_thrs)
    if counts.shape[1:] != (len(run.names),):
        raise ValueError(f"counts are of shape {counts.shape}: the run has {len(run.names)} images.")
    plus_one = run.plus_one if plus_one is None else plus_one
    found = np.full((len(run.classes), len(counts), len(thresholds)), np.nan)
    for label, judged in judged_classes(run, thresholds, mode, plus_one, areas):
        hits = np.flatnonzero(judged.hit.any(axis=0))
        last = hits[-1] + 1 if len(hits) else 0  # behind the last hit nothing changes
        step = max(1, _VALUES // max(1, last))
        for begin in range(0, len(counts), step):
            part = slice(begin, begin + step)
            objects = counts[part][:, judged.objects].sum(axis=1, dtype=np.float64)[:, None]
            ap = _average_precision(judged, counts[part][:, judged.image[:last]], objects, mode == "area")
            found[label, part] = np.where(objects > 0, 100 * ap, np.nan)
    return found


def _average_precision(judged: JudgedClass, counts: np.ndarray, objects: np.ndarray, area: bool) -> np.ndarray:
    """(B, T) AP of one class; counts (B, n) of its best detections, objects (B, 1)."""
    found = np.zeros((len(counts), len(judged.hit)))
    for column, (hit, false) in enumerate(zip(judged.hit, judged.false, strict=True)):
        kept = np.flatnonzero((hit | false)[: counts.shape[1]])
        weights, right = counts[:, kept].astype(np.float64), hit[kept]
        hits = np.cumsum(weights * right, axis=1)
        precision = hits / np.maximum(np.cumsum(weights, axis=1), 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        if area:
            found[:, column] = (weights * right * best).sum(axis=1) / np.maximum(objects[:, 0], 1)
            continue
        for level in np.arange(0, 1 + 1e-3, 0.1):
            reached = hits >= level * objects
            first = best[np.arange(len(best)), reached.argmax(axis=1)] if best.size else np.zeros(len(best))
            found[:, column] += np.where(reached.any(axis=1), first, 0) / 11
    return found
