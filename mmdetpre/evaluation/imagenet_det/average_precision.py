"""Average precision by the rules of ILSVRC's detection task."""

from __future__ import annotations

import numpy as np

from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.voc_ap.average_precision import area_under_curve
from mmdetpre.utils.numba_jit import compiled


def imagenet_det_average_precision(run: Detections, iou_thr: float = 0.5) -> np.ndarray:
    """AP (C,) float64 of each class; nan for a class without any box that counts.

    The rules of the ILSVRC development kit: detections come by descending score; each takes, of the boxes of its class
    that are still free and that it overlaps enough, the one with the largest IoU. Enough is ``min(iou_thr, w * h /
    ((w + 10) * (h + 10)))`` of the box's width and height in pixels: small boxes may be off by about 5 pixels. AP is
    the area under the interpolated curve. (VOC differs: one threshold, and the best box even if it is taken.)

    Args:
        run: Detections with ground truth. Boxes to be ignored neither count nor make what falls on them false.
        iou_thr: The threshold of large boxes.

    Raises:
        ValueError: If there is no ground truth, or none of its boxes counts.

    Source: Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", section 4.3 and appendix.

    Example:
        >>> from mmdetpre.evaluation.detections.detections import GroundTruth
        >>> truth = GroundTruth([0], [[0, 0, 10, 10]], [0], [False])
        >>> run = Detections(("ant",), ("a",), [0], [[0, 0, 10, 3]], [0.9], [0], truth=truth)
        >>> imagenet_det_average_precision(run).tolist()  # IoU 0.3, and 0.25 is enough
        [1.0]
    """
    run = run.half_open()
    truth = run.ground_truth()
    if truth.ignore.all():
        raise ValueError(
            "The ground truth has no box that counts: there is nothing to evaluate. Check the annotations of this split"
            " and `classes` of the data set."
        )
    ap = np.full(len(run.classes), np.nan)
    for label in range(len(run.classes)):
        kept = np.flatnonzero(truth.labels == label)
        kept = kept[np.argsort(truth.image[kept], kind="stable")]
        counted = np.count_nonzero(~truth.ignore[kept])
        if not counted:
            continue
        rows = np.flatnonzero(run.labels == label)
        rows = rows[np.argsort(-run.scores[rows], kind="stable")]
        verdict = _verdicts(
            run.image[rows].astype(np.int64),
            run.boxes[rows].astype(np.float64),
            truth.image[kept].astype(np.int64),
            truth.boxes[kept].astype(np.float64),
            truth.ignore[kept].astype(np.bool_),
            iou_thr,
        )
        hits, false = np.cumsum(verdict == 1), np.cumsum(verdict == 0)
        ap[label] = area_under_curve((hits / counted)[None], (hits / np.maximum(hits + false, 1))[None])[0]
    return ap


@compiled
def _verdicts(
    image: np.ndarray,
    boxes: np.ndarray,
    truth_image: np.ndarray,
    truth_boxes: np.ndarray,
    ignored: np.ndarray,
    iou_thr: float,
) -> np.ndarray:
    """1 hit, 0 false, -1 not counted, of the detections of one class, best first; the truth is sorted by image."""
    verdict = np.zeros(len(image), np.int8)
    free = np.ones(len(truth_image), np.bool_)
    for i in range(len(image)):
        x1, y1, x2, y2 = boxes[i]
        best, taken = -1.0, -1
        for j in range(np.searchsorted(truth_image, image[i]), len(truth_image)):
            if truth_image[j] != image[i]:
                break
            if not free[j]:
                continue
            a1, b1, a2, b2 = truth_boxes[j]
            width, height = a2 - a1, b2 - b1
            shared = max(min(x2, a2) - max(x1, a1), 0.0) * max(min(y2, b2) - max(y1, b1), 0.0)
            iou = shared / ((x2 - x1) * (y2 - y1) + width * height - shared)
            if iou > best and iou >= min(iou_thr, width * height / ((width + 10) * (height + 10))):
                best, taken = iou, j
        if taken >= 0:
            free[taken] = ignored[taken]  # of a crowd, any number may be found
            verdict[i] = -1 if ignored[taken] else 1
    return verdict
