"""Scale factors: how many times larger or smaller an image is made before chips are cut from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# Lets 512.0 / W * W count as 512 although double precision makes it 511.9999... for some W.
_ROUNDING_SLACK = 1e-6


def scale_factor(width: int, height: int, scale: tuple[int, int]) -> float:
    """Factor that brings one image to one scale.

    Args:
        width: Image width in pixels.
        height: Image height in pixels.
        scale: Pair ``(m, M)``: the shorter side becomes ``m`` pixels unless the longer one would exceed ``M`` (no bound
            when ``M <= 0``); with ``m <= 0`` the longer side becomes ``M``.

    Returns:
        Pixels of the scaled image per original pixel.

    Source: section 4.1 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> scale_factor(1024, 768, (480, 512))
        0.5
    """
    shorter, longer = float(min(width, height)), float(max(width, height))
    m, big = scale
    if m <= 0:
        return big / longer
    s = m / shorter
    return big / longer if 0 < big < round(s * longer) else s


def scaled_size(width: int, height: int, s: float) -> tuple[int, int]:
    """Whole pixels ``(width, height)`` of an image scaled by ``s``; a side never vanishes.

    Args:
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        s: Scale factor.

    Example:
        >>> scaled_size(640, 480, 1400 / 480)
        (1866, 1400)
    """
    return (
        max(1, math.floor(width * s + _ROUNDING_SLACK)),
        max(1, math.floor(height * s + _ROUNDING_SLACK)),
    )


def scale_factors(sizes: np.ndarray, scales: Sequence[tuple[int, int]]) -> np.ndarray:
    """:func:`scale_factor` of many images at several scales.

    Args:
        sizes: (N, 2) widths and heights in pixels.
        scales: S pairs, see :func:`scale_factor`.

    Returns:
        (N, S) float64 factors.
    """
    sizes = np.asarray(sizes, dtype=np.float64).reshape(-1, 2)
    shorter, longer = sizes.min(axis=1), sizes.max(axis=1)
    factors = np.empty((len(sizes), len(scales)))
    for i, (m, big) in enumerate(scales):
        if m <= 0:
            factors[:, i] = big / longer
            continue
        factors[:, i] = m / shorter
        if big > 0:
            factors[:, i] = np.where(np.rint(factors[:, i] * longer) > big, big / longer, factors[:, i])
    return factors


def scaled_sizes(sizes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """:func:`scaled_size` of many images.

    Args:
        sizes: (N, 2) widths and heights in pixels.
        factors: (N, S) factors as given by :func:`scale_factors`.

    Returns:
        (N, S, 2) int64 widths and heights of the scaled images.
    """
    scaled = np.asarray(sizes, dtype=np.float64)[:, None, :] * factors[:, :, None]
    return np.maximum(1, np.floor(scaled + _ROUNDING_SLACK)).astype(np.int64)
