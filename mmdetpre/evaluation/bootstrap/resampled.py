"""A score on many resamples of the test images, and the resamples, which are the same for all runs on these images.

The bootstrap of Efron: test images are drawn with replacement, as many as there are. Two runs that were tested on the
same images are compared resample by resample, so that an image which is hard for both does not blur their difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True)
class Resampled:
    """A score on resamples of the test images.

    Attributes:
        images: Number of test images.
        digest: Of their names in order: two of one digest are of the same resamples.
        values: The score on each, in percent.
    """

    images: int
    digest: str
    values: tuple[float, ...]

    @classmethod
    def of(cls, names: Sequence[str], values: np.ndarray, decimals: int = 4) -> Resampled | None:
        """The scores (B,) of resamples; None if some have nothing to score: the images are too few.

        Args:
            names: Of the images, in order.
            values: (B,) scores in percent.
            decimals: That are kept.
        """
        if not np.isfinite(values).all():
            return None
        text = "\n".join(names).encode("utf-8", "backslashreplace")
        return cls(len(names), hashlib.sha256(text).hexdigest()[:16], tuple(np.round(values, decimals).tolist()))


def image_counts(images: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(B, N) int32: how often each of N images is in each of B resamples. The same for the same N and B.

    Args:
        images: N.
        resamples: B.

    Raises:
        ValueError: If there is no image.

    Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979.

    Example:
        >>> image_counts(5, 3).sum(axis=1).tolist()
        [5, 5, 5]
    """
    if images < 1:
        raise ValueError("There is no test image: nothing can be resampled.")
    drawn = np.random.default_rng(0).integers(images, size=(resamples, images))
    flat = drawn + images * np.arange(resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=resamples * images).reshape(resamples, images).astype(np.int32)


def resampled_accuracy(right: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B,) accuracy in percent.

    Args:
        right: (N,) whether each image is classified right.
        counts: (B, N), see `image_counts`.

    Example:
        >>> resampled_accuracy(np.array([True, False]), np.array([[2, 0], [1, 1]])).tolist()
        [100.0, 50.0]
    """
    return 100 * (counts @ np.asarray(right, np.float64)) / counts.sum(axis=1)


def resampled_class_accuracy(right: np.ndarray, labels: np.ndarray, counts: np.ndarray, classes: int) -> np.ndarray:
    """(C, B) accuracy of each class in percent, NaN where a resample has no image of it.

    Args:
        right: (N,) whether each image is classified right, or how often, from 0 to 1.
        labels: (N,) class of each image.
        counts: (B, N), see `image_counts`.
        classes: C.

    Example:
        >>> resampled_class_accuracy([True, False], [0, 1], np.array([[2, 0], [1, 1]]), 2).tolist()
        [[100.0, 100.0], [nan, 0.0]]
    """
    of_class = np.asarray(labels)[:, None] == np.arange(classes)
    images = counts @ of_class.astype(np.float64)
    hits = counts @ (of_class * np.asarray(right, np.float64)[:, None])
    return 100 * np.divide(hits, images, out=np.full_like(hits, np.nan), where=images > 0).T


def resampled_class_iou(confusion: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(C, B) IoU of each class in percent, NaN where a resample has no pixel of it, own or predicted.

    Args:
        confusion: (N, 3, C) per image the pixels of each class that are right, true, and predicted.
        counts: (B, N), see `image_counts`.

    Example:
        >>> confusion = np.array([[[2, 0], [3, 1], [3, 1]], [[0, 4], [0, 4], [0, 4]]])
        >>> resampled_class_iou(confusion, np.array([[1, 1], [0, 2]])).round(1).tolist()
        [[50.0, nan], [66.7, 100.0]]
    """
    images, _, classes = confusion.shape
    sums = (counts @ confusion.reshape(images, -1).astype(np.float64)).reshape(len(counts), 3, classes)
    right, union = sums[:, 0], sums[:, 1] + sums[:, 2] - sums[:, 0]
    return 100 * np.divide(right, union, out=np.full_like(right, np.nan), where=union > 0).T


def resampled_mean_iou(confusion: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B,) mean IoU in percent, over the classes with a pixel of their own or predicted in the resample.

    Args:
        confusion: (N, 3, C) per image the pixels of each class that are right, true, and predicted.
        counts: (B, N), see `image_counts`.

    Example:
        >>> confusion = np.array([[[2, 0], [3, 1], [3, 1]], [[0, 4], [0, 4], [0, 4]]])
        >>> resampled_mean_iou(confusion, np.array([[1, 1], [0, 2]])).round(1).tolist()
        [58.3, 100.0]
    """
    return mean_over_classes(resampled_class_iou(confusion, counts))


def mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Mean of (C, ...) over the classes that have a number, NaN where none has.

    Example:
        >>> mean_over_classes(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
        [2.0, nan]
    """
    known = ~np.isnan(values)
    total, classes = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, classes, out=np.full_like(total, np.nan), where=classes > 0)
