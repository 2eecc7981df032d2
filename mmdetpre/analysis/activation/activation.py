"""How active a layer is at each place of an image: its mean over the channels as a gray picture."""

from __future__ import annotations

import cv2
import numpy as np


def mean_activation(features: np.ndarray) -> np.ndarray:
    """Mean over the channels of features (C, h, w): (h, w) float32.

    Raises:
        ValueError: If they have another shape, are not finite, or their mean is the same everywhere.

    Example:
        >>> mean_activation(np.array([[[0.0, 2.0]], [[1.0, 3.0]]])).tolist()
        [[0.5, 2.5]]
    """
    if features.ndim != 3:
        raise ValueError(
            f"The features have shape {tuple(features.shape)}, expected (channels, height, width): choose a layer that"
            " gives maps, such as conv5."
        )
    if not np.isfinite(features).all():
        raise ValueError("The features are not finite: the network has diverged. Use another checkpoint.")
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    if mean.min() == mean.max():
        raise ValueError(
            f"The mean over the channels is {float(mean.flat[0]):g} in all {mean.shape[0]} x {mean.shape[1]} places, so"
            " there is nothing to show: the image is blank or too small, or the network is not trained."
        )
    return mean


def activation_map(features: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Grey picture (H, W) uint8 of features: mean over the channels, minimum 0, maximum 255, resized bilinearly.

    Args:
        features: (C, h, w); place (i, j) is taken as the center of its cell of H / h x W / w pixels.
        size: Height and width of the picture, those of the network's input.

    Raises:
        ValueError: As for :func:`mean_activation`.

    Source: Figure 8 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> activation_map(np.array([[[1.0, 3.0]]]), (1, 4)).tolist()
        [[0, 64, 191, 255]]
    """
    mean = mean_activation(features).astype(np.float64)
    scaled = (mean - mean.min()) / (mean.max() - mean.min()) * 255
    resized = cv2.resize(scaled, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)
