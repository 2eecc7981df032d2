"""Confusion of classes near the boundaries of objects and away from them, for many band widths in one pass.

The band (trimap) of width w is what w dilations of the boundary with a 3x3 square reach, that is every pixel whose
chessboard distance to the boundary is at most w. One distance transform therefore holds all widths: each pixel is
counted once, under the smallest width whose band contains it, and the bands are running sums of these counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmdetpre.datasets.label_maps.files import check_shapes
from mmdetpre.evaluation.label_maps.class_scores import class_mean, ratio
from mmdetpre.evaluation.label_maps.confusion import confusion_by_region

BOUNDARIES = ("void", "label")
WIDTHS = tuple(range(2, 41, 2))
"""Twenty widths up to 40 pixels."""
MAX_WIDTH = 8190  # distances are exact up to here in every version of OpenCV

_SHOWN = 3
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class TrimapConfusion:
    """Pixels by band, true class and predicted class; those of void pixels are not among them.

    Results of parts of a data set are merged by ``+``.

    Args:
        widths: Rising widths of the bands in pixels of the label map.
        table: ``(len(widths) + 1, classes, classes)`` int64, [band, truth, prediction]. Band i holds the pixels that
            the i-th width reaches and the one before does not, the last those that no width reaches.
        images: Number of images.
        without_boundary: How many of them have no boundary at all; their pixels are in no band.
        without_names: The first few of these by name, where names are known.

    Example:
        >>> truth = np.array([[0, 0, 255, 1, 1]])
        >>> counts = count_image(truth, np.array([[0, 0, 0, 1, 1]]), classes=2, widths=(1,))
        >>> counts.inside()[0].tolist(), (counts + counts).outside()[0].tolist()
        ([[1, 0], [0, 1]], [[2, 0], [0, 2]])
    """

    widths: tuple[int, ...]
    table: np.ndarray
    images: int = 1
    without_boundary: int = 0
    without_names: tuple[str, ...] = ()

    def __add__(self, other: TrimapConfusion) -> TrimapConfusion:
        if self.widths != other.widths or self.table.shape != other.table.shape:
            raise ValueError("Counts of other widths or another number of classes cannot be added.")
        return TrimapConfusion(
            self.widths,
            self.table + other.table,
            self.images + other.images,
            self.without_boundary + other.without_boundary,
            (self.without_names + other.without_names)[:_SHOWN],
        )

    def inside(self) -> np.ndarray:
        """``(widths, classes, classes)`` confusion inside the band of each width: the trimaps."""
        return self.table[:-1].cumsum(axis=0)

    def outside(self) -> np.ndarray:
        """``(widths, classes, classes)`` confusion outside the band of each width: the anti-trimaps."""
        return self.whole() - self.inside()

    def whole(self) -> np.ndarray:
        """``(classes, classes)`` confusion of all scored pixels: the band of infinite width."""
        return self.table.sum(axis=0)


@dataclass(frozen=True)
class RegionScores:
    """Scores of regions, from 0 to 1; NaN where there is nothing to score.

    Args:
        pixels: ``(...)`` scored pixels.
        class_pixels: ``(..., classes)`` those of each true class.
        iou: ``(..., classes)`` intersection over union.
        class_accuracy: ``(..., classes)`` part of a class's pixels that is right.
        accuracy: ``(...)`` part of all pixels that is right.
        mean_iou: ``(...)`` mean over the classes that are in the truth or in the prediction.
        mean_accuracy: ``(...)`` mean over the classes that are in the truth.
    """

    pixels: np.ndarray
    class_pixels: np.ndarray
    iou: np.ndarray
    class_accuracy: np.ndarray
    accuracy: np.ndarray
    mean_iou: np.ndarray
    mean_accuracy: np.ndarray


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """The widths as plain integers.

    Raises:
        ValueError: Unless they are rising whole numbers from 1 to 8190.

    Example:
        >>> check_widths([1, 2, 5])
        (1, 2, 5)
    """
    given = list(widths) if isinstance(widths, (list, tuple, range, np.ndarray)) else []
    whole = all(isinstance(w, (int, np.integer)) and not isinstance(w, bool) and 1 <= w <= MAX_WIDTH for w in given)
    if not given or not whole or any(a >= b for a, b in zip(given, given[1:], strict=False)):
        raise ValueError(
            f"The band widths are {given or repr(widths)}: expected a list of rising whole numbers of pixels from"
            f" 1 to {MAX_WIDTH}, each once, such as [1, 2, 5, 10]. The whole image is always reported as well."
        )
    return tuple(map(int, given))


def check_boundary(boundary: str) -> str:
    """The name of a boundary, or ``ValueError``.

    Raises:
        ValueError: If it is unknown.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"boundary is {boundary!r}: choose one of {', '.join(BOUNDARIES)}.")
    return boundary


def boundary_distance(truth: np.ndarray, *, boundary: str = "void", ignore_index: int = 255) -> np.ndarray | None:
    """Chessboard distance in pixels of each pixel to the boundary, ``None`` if there is no boundary.

    Args:
        truth: ``(h, w)`` integer label map.
        boundary: "void": to the nearest void pixel, as in the paper. "label": to the nearest pixel of another label,
            where void counts as one more label; both sides of a border begin with 1.
        ignore_index: The label of void pixels.

    Returns:
        ``(h, w)`` float32.

    Source: section 4.2 of "An Analysis of Pre-Training on Object Detection": trimaps are dilated void pixels.

    Example:
        >>> boundary_distance(np.array([[0, 0, 1]]), boundary="label").tolist()
        [[2.0, 1.0, 1.0]]
    """
    if check_boundary(boundary) == "void":
        off = (truth != ignore_index).view(np.uint8)
    else:
        labels = truth.astype(np.float32)  # a type that OpenCV dilates, and exact for all labels
        off = (cv2.dilate(labels, _SQUARE) == cv2.erode(labels, _SQUARE)).view(np.uint8)
    if off.all():
        return None
    distance = cv2.distanceTransform(np.ascontiguousarray(off), cv2.DIST_C, 3)
    return distance if boundary == "void" else distance + 1


def count_image(
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    classes: int,
    widths: Sequence[int] = WIDTHS,
    boundary: str = "void",
    ignore_index: int = 255,
) -> TrimapConfusion:
    """Count the pixels of one image by band, true class and predicted class.

    Args:
        truth: ``(h, w)`` integer label map: classes from 0, or ``ignore_index``.
        prediction: ``(h, w)`` integer map of predicted classes.
        classes: Number of classes.
        widths: Rising widths of the bands in pixels.
        boundary: See :func:`boundary_distance`.
        ignore_index: The label of void pixels, which are not scored.

    Raises:
        ValueError: If a map is not two-dimensional, they differ in size, or hold values that are not a class.

    Example:
        >>> truth, prediction = np.array([[255, 0, 0, 1]]), np.array([[1, 0, 1, 1]])
        >>> count_image(truth, prediction, classes=2, widths=[2]).inside()[0].tolist()
        [[1, 1], [0, 0]]
    """
    widths = check_widths(widths)
    check_shapes(truth, prediction)
    truth = np.ascontiguousarray(truth, np.int64)
    prediction = np.ascontiguousarray(prediction, np.int64)
    distance = boundary_distance(truth, boundary=boundary, ignore_index=ignore_index)
    band_of = np.searchsorted(widths, np.arange(widths[-1] + 2))  # the last entry stands for all that is farther
    found = np.full(truth.shape, np.inf, np.float32) if distance is None else distance
    band = band_of[np.minimum(found, len(band_of) - 1).astype(np.int64)]
    settings = dict(regions=len(widths) + 1, classes=classes, ignore_index=ignore_index)
    table = confusion_by_region(truth, prediction, band, **settings)
    return TrimapConfusion(widths, table, 1, int(distance is None))


def region_scores(confusion: np.ndarray) -> RegionScores:
    """Scores from confusion matrices ``(..., classes, classes)``, [truth, prediction].

    Example:
        >>> region_scores(np.array([[3, 1], [0, 4]])).iou.tolist()
        [0.75, 0.800000011920929]
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    annotated, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    iou = ratio(right, annotated + predicted - right)
    class_accuracy = ratio(right, annotated)
    return RegionScores(
        annotated.sum(axis=-1),
        annotated,
        iou,
        class_accuracy,
        ratio(right.sum(axis=-1), annotated.sum(axis=-1)),
        class_mean(iou),
        class_mean(class_accuracy),
    )
