"""Scores of classes from counts of pixels."""

from __future__ import annotations

import numpy as np


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole`` in single precision, NaN where ``whole`` is 0.

    mmseg divides in single precision: whole images then have exactly the numbers of its ``IoUMetric``.

    Example:
        >>> ratio(np.array([3, 0]), np.array([4, 0])).tolist()
        [0.75, nan]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return part.astype(np.float32) / whole.astype(np.float32)


def class_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values that are numbers, NaN where there is none.

    Example:
        >>> class_mean(np.array([[0.5, np.nan, 1.0], [np.nan] * 3])).tolist()
        [0.75, nan]
    """
    flat = values.reshape(-1, values.shape[-1])
    means = [np.float32(np.nan) if np.isnan(row).all() else np.nanmean(row) for row in flat]
    return np.array(means, np.float32).reshape(values.shape[:-1])
