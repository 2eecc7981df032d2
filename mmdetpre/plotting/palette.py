"""Colors of the pictures."""

from __future__ import annotations

import colorsys

import numpy as np

RGB = tuple[int, int, int]

SCALE_COLORS: tuple[RGB, ...] = (
    (0, 158, 255),
    (255, 92, 40),
    (0, 176, 106),
    (200, 80, 220),
    (150, 130, 0),
)
"""One color per scale, finest first; they differ in brightness too. More scales start over."""
VALID: RGB = (255, 255, 255)
IGNORED: RGB = (255, 190, 0)

TRUTH: RGB = (255, 255, 255)

RUN_COLORS: tuple[RGB, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
)
"""One color per compared run, from Okabe and Ito's set, which color-blind people can distinguish. More start over."""
ERROR_COLORS: tuple[RGB, ...] = (
    (0, 158, 115),
    (86, 180, 233),
    (240, 228, 66),
    (204, 121, 167),
    (150, 150, 150),
)
"""Correct, localization, similar class, other class, background; from the same set."""

_GOLDEN_RATIO = 0.618033988749895


def scale_color(scale: int) -> RGB:
    """Color of a scale, 0 is the finest."""
    return SCALE_COLORS[scale % len(SCALE_COLORS)]


def run_color(run: int) -> RGB:
    """Color of a compared run, 0 is the first."""
    return RUN_COLORS[run % len(RUN_COLORS)]


def class_color(label: int) -> RGB:
    """Color of a class: vivid, and far in hue from those of its neighbors.

    Example:
        >>> class_color(0) != class_color(1)
        True
    """
    red, green, blue = colorsys.hsv_to_rgb((0.33 + label * _GOLDEN_RATIO) % 1, 0.75 if label % 2 else 0.95, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def voc_palette() -> np.ndarray:
    """(256, 3) uint8 RGB colors of VOC's label maps: bit ``3 k + c`` of a label is bit ``7 - k`` of its channel ``c``.

    Example:
        >>> voc_palette()[[1, 15, 255]].tolist()
        [[128, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    labels = np.arange(256)[:, None]
    channels = np.zeros((256, 3), np.int64)
    for k in range(8):
        channels |= ((labels >> (3 * k + np.arange(3))) & 1) << (7 - k)
    return channels.astype(np.uint8)


def unit(color: RGB) -> tuple[float, float, float]:
    """The same color from 0 to 1, as matplotlib takes it."""
    red, green, blue = color
    return red / 255, green / 255, blue / 255
