"""Precision that does not depend on how common the objects are."""

from __future__ import annotations

import numpy as np

OBJECTS_PER_IMAGE = 0.15
"""Objects of a class per image that precision is normalized to; 0.15 is the value of Hoiem et al. for VOC 2007."""


def normal_objects(objects: np.ndarray, images: int, per_image: float | None = None) -> float:
    """N, the number of objects of a class that precision is normalized to.

    Hoiem et al. take 0.15 objects per image, about the mean over the classes of VOC. Where the classes have more than
    that on average, N is their average: with 0.15 in crowded images a handful of false positives would outweigh all
    objects that are found, and the operating point would lie at the first of them.

    Args:
        objects: (C,) number of objects of each class that count.
        images: Number of images.
        per_image: Take this many per image whatever the data have.

    Returns:
        N, above 0 if there is an image.

    Example:
        >>> normal_objects([600, 0], images=4952), normal_objects([3426], images=60)
        (742.8, 3426.0)
    """
    if per_image is not None:
        return per_image * images
    objects = np.asarray(objects)
    mean = float(objects[objects > 0].mean()) if (objects > 0).any() else 0.0
    return max(OBJECTS_PER_IMAGE * images, mean)


def normalized_precision(outcome: np.ndarray, objects: int, normal_objects: float) -> np.ndarray:
    """Interpolated precision after each detection, as if the class had ``normal_objects`` objects.

    Plain precision falls when there are fewer objects, so it cannot compare a rare level of occlusion with a common
    one, or two classes. With recall R and F false positives so far, normalized precision is ``R N / (R N + F)`` for
    one N; interpolated: the greatest value from here on. Source: Hoiem et al. 2012, section 3.

    Args:
        outcome: (n,) of the detections of one class, the highest-scoring first: 1 correct, -1 false, 0 does not count.
        objects: Number of objects that count.
        normal_objects: N.

    Returns:
        (n,) float64 in [0, 1]; zeros where there are no objects.

    Example:
        >>> normalized_precision([1, -1, 1], objects=2, normal_objects=4).round(2).tolist()
        [1.0, 0.8, 0.8]
    """
    outcome = np.asarray(outcome)
    if objects == 0 or not len(outcome):
        return np.zeros(len(outcome))
    found = np.cumsum(outcome == 1) * (normal_objects / objects)
    wrong = np.cumsum(outcome == -1)
    precision = np.divide(found, found + wrong, out=np.zeros(len(outcome)), where=found + wrong > 0)
    return np.maximum.accumulate(precision[::-1])[::-1]


def normalized_ap(outcome: np.ndarray, objects: int, normal_objects: float) -> float:
    """Average of :func:`normalized_precision` over all objects, 0 for those not found; NaN without objects.

    Args:
        outcome: (n,) of each detection, highest-scoring first: 1 correct, 0 ignored, -1 false.
        objects: Number of objects.
        normal_objects: Number of objects to normalize to.

    Example:
        >>> round(normalized_ap([1, -1, 1], objects=4, normal_objects=4), 3)
        0.417
    """
    if objects == 0:
        return float("nan")
    precision = normalized_precision(outcome, objects, normal_objects)
    return float(precision[np.asarray(outcome) == 1].sum() / objects)
