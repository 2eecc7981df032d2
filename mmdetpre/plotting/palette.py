"""Colours of the pictures."""

from __future__ import annotations

import colorsys

import numpy as np

RGB = tuple[int, int, int]

SCALE_COLOURS: tuple[RGB, ...] = (
    (0, 158, 255),
    (255, 92, 40),
    (0, 176, 106),
    (200, 80, 220),
    (150, 130, 0),
)
"""One colour per scale, finest first; they differ in brightness too. More scales begin again."""
VALID: RGB = (255, 255, 255)
IGNORED: RGB = (255, 190, 0)

TRUTH: RGB = (255, 255, 255)

RUN_COLOURS: tuple[RGB, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
)
"""One colour per compared run, from Okabe and Ito's set, which colour-blind people tell apart. More begin again."""
ERROR_COLOURS: tuple[RGB, ...] = (
    (0, 158, 115),
    (86, 180, 233),
    (240, 228, 66),
    (204, 121, 167),
    (150, 150, 150),
)
"""Correct, localisation, similar class, other class, background; from the same set."""

_GOLDEN_RATIO = 0.618033988749895


def scale_colour(scale: int) -> RGB:
    """Colour of a scale, 0 is the finest."""
    return SCALE_COLOURS[scale % len(SCALE_COLOURS)]


def run_colour(run: int) -> RGB:
    """Colour of a compared run, 0 is the first."""
    return RUN_COLOURS[run % len(RUN_COLOURS)]


def class_colour(label: int) -> RGB:
    """Colour of a class: vivid, and far in hue from those of its neighbours.

    Example:
        >>> class_colour(0) != class_colour(1)
        True
    """
    red, green, blue = colorsys.hsv_to_rgb((0.33 + label * _GOLDEN_RATIO) % 1, 0.75 if label % 2 else 0.95, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def voc_palette() -> np.ndarray:
    """(256, 3) uint8 RGB colours of VOC's label maps: bit ``3 k + c`` of a label is bit ``7 - k`` of its channel ``c``.

    Example:
        >>> voc_palette()[[1, 15, 255]].tolist()
        [[128, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    labels = np.arange(256)[:, None]
    channels = np.zeros((256, 3), np.int64)
    for k in range(8):
        channels |= ((labels >> (3 * k + np.arange(3))) & 1) << (7 - k)
    return channels.astype(np.uint8)


def unit(colour: RGB) -> tuple[float, float, float]:
    """The same colour from 0 to 1, as matplotlib takes it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
