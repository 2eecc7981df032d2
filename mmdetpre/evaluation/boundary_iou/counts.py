"""Boundary IoU of segmentation maps: IoU of the pixels of a mask that lie near its own contour, per class.

The boundary region of a mask is the mask without its erosion: the pixels from which some pixel outside of the mask is
at most d away in chessboard distance, which d erosions with a 3x3 square take off. A segmentation map cuts the image
into masks that do not overlap, so a pixel lies in the boundary region of its mask where the greatest and the least
label within d differ: one dilation and one erosion of the map give the regions of all classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mmdetpre.datasets.label_maps.files import check_shapes
from mmdetpre.evaluation.label_maps.class_scores import ratio
from mmdetpre.evaluation.label_maps.confusion import confusion_by_region

DILATION_RATIO = 0.02
"""Distance to the contour over the diagonal of the image: the paper's for COCO's image sizes."""

_NO_CLASS = {kind: np.iinfo(kind).max for kind in (np.uint8, np.uint16)}


@dataclass(frozen=True)
class BoundaryAreas:
    """Scored pixels of each class; those of parts of a data set are merged by ``+``.

    Args:
        boundary: ``(3, classes)`` int64: pixels of the boundary regions that truth and prediction share, those of the
            truth, those of the prediction.
        whole: ``(3, classes)`` the same of the whole masks.
        images: Number of images.

    Example:
        >>> areas = measure_image(np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]]), classes=2)
        >>> areas.boundary_iou().tolist(), (areas + areas).images
        ([0.5, 0.6666666865348816], 2)
    """

    boundary: np.ndarray
    whole: np.ndarray
    images: int = 1

    def __add__(self, other: BoundaryAreas) -> BoundaryAreas:
        if self.whole.shape != other.whole.shape:
            raise ValueError("Areas of another number of classes cannot be added.")
        return BoundaryAreas(self.boundary + other.boundary, self.whole + other.whole, self.images + other.images)

    def boundary_iou(self) -> np.ndarray:
        """``(classes,)`` IoU of the boundary regions, NaN for classes that are nowhere."""
        return _iou(self.boundary)

    def mask_iou(self) -> np.ndarray:
        """``(classes,)`` IoU of the whole masks, NaN for classes that are nowhere."""
        return _iou(self.whole)


def check_dilation_ratio(dilation_ratio: float) -> float:
    """The ratio, or ``ValueError`` unless it is above 0 and at most 1.

    Raises:
        ValueError: If it is out of range.

    Example:
        >>> check_dilation_ratio(0.02)
        0.02
    """
    number = isinstance(dilation_ratio, (int, float)) and not isinstance(dilation_ratio, bool)
    if not number or not 0 < dilation_ratio <= 1:
        raise ValueError(
            f"dilation_ratio is {dilation_ratio!r}: expected a part of the image's diagonal above 0 and at most 1, such"
            f" as {DILATION_RATIO}."
        )
    return float(dilation_ratio)


def boundary_width(shape: tuple[int, ...], dilation_ratio: float = DILATION_RATIO) -> int:
    """Width d of boundary regions in pixels: part of the diagonal of ``(h, w)``, rounded, at least 1.

    Example:
        >>> boundary_width((375, 500)), boundary_width((10, 10))
        (12, 1)
    """
    return max(1, round(dilation_ratio * math.hypot(*shape)))


def boundary_region(labels: np.ndarray, width: int) -> np.ndarray:
    """Which pixels lie near the contour of the mask that they belong to.

    The image border is contour: where a mask is cut off by it, the pixels along the border belong to its region, as if
    every mask were surrounded by background.

    Args:
        labels: ``(h, w)`` uint8 or uint16 map; pixels of one label are one mask. The greatest value of the type is what
            lies outside of the image too, and no mask: what is returned for such pixels has no meaning.
        width: Largest chessboard distance in pixels to a pixel of another label, or outside of the image.

    Returns:
        ``(h, w)`` bool.

    Example:
        >>> boundary_region(np.zeros((3, 4), np.uint8), 1).tolist()
        [[True, True, True, True], [True, False, False, True], [True, True, True, True]]
    """
    width = min(width, max(labels.shape))
    outside = dict(borderType=cv2.BORDER_CONSTANT, borderValue=np.iinfo(labels.dtype).max)
    greatest = cv2.dilate(labels, None, iterations=width, **outside)
    least = cv2.erode(labels, None, iterations=width, **outside)
    return greatest != least


def measure_image(
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    classes: int,
    dilation_ratio: float = DILATION_RATIO,
    ignore_index: int = 255,
) -> BoundaryAreas:
    """Count the pixels of one image that Boundary IoU compares.

    Void pixels are taken out of both maps *before* their contours are found, so to both masks a void area is what the
    image border is: a place where they are cut off, and contour. Hence nothing that is predicted inside void changes
    any number, neither there nor around it, and a prediction that is right at all scored pixels has IoU 1. Filling the
    void of the truth with the prediction would give the latter but not the former: the prediction could then lead the
    contours through void such that its errors weigh less. On VOC, where void surrounds every object, the contours of an
    object lie along the inner edge of its border of void, those of the background along the outer one.

    Args:
        truth: ``(h, w)`` integer label map: classes from 0, or ``ignore_index``.
        prediction: ``(h, w)`` integer map of predicted classes.
        classes: Number of classes.
        dilation_ratio: Width of the boundary regions as part of the image's diagonal.
        ignore_index: The label of void pixels.

    Raises:
        ValueError: If a map is not two-dimensional, they differ in size, or hold values that are not a class.

    Source: Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
        Evaluation", CVPR 2021, equation 1; distances, rounding and the image border as contour are those of its code,
        which erodes a mask with a 3x3 square after padding it with one pixel of background.

    Example:
        >>> areas = measure_image(np.array([[0, 255, 1]]), np.array([[0, 0, 0]]), classes=2)
        >>> areas.boundary.tolist()
        [[1, 0], [1, 1], [2, 0]]
    """
    check_dilation_ratio(dilation_ratio)
    check_shapes(truth, prediction)
    truth, prediction = truth.astype(np.int64, copy=False), prediction.astype(np.int64, copy=False)
    void = truth == ignore_index
    width = boundary_width(truth.shape, dilation_ratio)
    kind = np.uint8 if classes <= _NO_CLASS[np.uint8] else np.uint16
    seen = (np.where(void, _NO_CLASS[kind], one).astype(kind) for one in (truth, prediction))
    near_truth, near_found = (boundary_region(one, width) for one in seen)
    region = near_truth.astype(np.uint8) + 2 * near_found.astype(np.uint8)
    table = confusion_by_region(truth, prediction, region, regions=4, classes=classes, ignore_index=ignore_index)
    whole = table.sum(axis=0)
    boundary = [np.diagonal(table[3]), table[[1, 3]].sum(axis=(0, 2)), table[[2, 3]].sum(axis=(0, 1))]
    return BoundaryAreas(np.array(boundary), np.array([np.diagonal(whole), whole.sum(axis=1), whole.sum(axis=0)]))


def _iou(areas: np.ndarray) -> np.ndarray:
    shared, truth, prediction = areas
    return ratio(shared, truth + prediction - shared)
