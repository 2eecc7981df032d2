"""Boxes and their labels on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmdetpre.plotting.palette import RGB
from mmdetpre.utils.plain_text import one_line

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PADDING = 3
_MOST_CHARACTERS = 200


def draw_box(image: np.ndarray, box: Sequence[float], color: RGB, thickness: int = 1) -> None:
    """Draw the outline of a box in place, with a dark rim that keeps it visible on any ground.

    Args:
        image: (h, w, 3) uint8 RGB.
        box: x1, y1, x2, y2 in pixels, half-open.
        color: RGB.
        thickness: Of the colored line, pixels.
    """
    height, width = image.shape[:2]
    x1, y1 = (max(round(float(v)), 0) for v in box[:2])
    x2, y2 = (min(round(float(v)), side) - 1 for v, side in zip(box[2:], (width, height), strict=True))
    for c, t in (((32, 32, 32), thickness + 2), (color, thickness)):
        cv2.rectangle(image, (x1, y1), (max(x2, x1), max(y2, y1)), c, t)


def draw_tag(image: np.ndarray, text: str, corner: tuple[float, float], color: RGB, size: float = 0.4) -> None:
    """Write a text in place on a plate above a point, or below it where there is no room above.

    Args:
        image: (h, w, 3) uint8 RGB.
        text: ASCII text; of a longer one the first 200 characters are written.
        corner: x, y of the plate's bottom left, pixels.
        color: Of the plate; the text is black or white, whichever is easier to read on it.
        size: OpenCV font scale.
    """
    text = one_line(text)[:_MOST_CHARACTERS]  # OpenCV does not survive half surrogates
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, size, 1)
    width, height = text_width + 2 * _PADDING, text_height + baseline + _PADDING
    x = int(min(max(corner[0], 0), max(image.shape[1] - width, 0)))
    y = int(corner[1]) - height
    if y < 0:
        y = int(min(max(corner[1], 0), max(image.shape[0] - height, 0)))
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), color, -1)
    red, green, blue = color
    ink = (0, 0, 0) if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else (255, 255, 255)
    cv2.putText(image, text, (x + _PADDING, y + text_height + _PADDING // 2 + 1), _FONT, size, ink, 1, cv2.LINE_AA)
