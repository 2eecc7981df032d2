"""FocusChips: the rectangles of an image that the next finer scale looks at, from a map of focus probabilities.

Rectangles are (n, 4) arrays x1, y1, x2, y2, half-open, in cells of a map or in pixels, as the functions say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_EIGHT = np.ones((3, 3), bool)
MOST_PADDING = 1.25
"""Pixels of a batch over those of its rectangles."""


@dataclass(frozen=True)
class FocusSettings:
    """How the rectangles of a scale are found in the map of the next coarser one.

    Args:
        threshold: Cells of at least this probability are focus cells.
        dilation: Side of the square that each of them grows to, in cells, odd.
        min_side: Least side of a rectangle, in cells.

    Raises:
        ValueError: If a value is out of range.
    """

    threshold: float
    dilation: int = 3
    min_side: int = 16

    def __post_init__(self) -> None:
        if not self.threshold >= 0:
            raise ValueError(f"threshold is {self.threshold}: give a probability; 0 looks at everything.")
        if self.dilation < 1 or self.dilation % 2 == 0 or self.min_side < 1:
            raise ValueError(
                f"dilation is {self.dilation} and min_side {self.min_side}: give an odd number of cells, and one."
            )


def focus_rectangles(probability: np.ndarray, settings: FocusSettings) -> np.ndarray:
    """Rectangles around the focus cells of the map of a whole image.

    The cells are dilated, parts that touch (also at corners) make one rectangle, which grows about its center to the
    least side and moves inside of the map. Rectangles that touch are joined until none does.

    Args:
        probability: (h, w) probability of focus of each cell.
        settings: Threshold, dilation and least side.

    Returns:
        (n, 4) int64 in cells, in the order of their upper left corners. Every focus cell lies in one of them.

    Source: M. Najibi et al., "AutoFocus: Efficient Multi-Scale Inference" (2019).

    Example:
        >>> cells = np.zeros((10, 20))
        >>> cells[4, 7] = 1
        >>> focus_rectangles(cells, FocusSettings(0.5, dilation=3, min_side=4)).tolist()
        [[5, 2, 9, 6]]
    """
    cells = probability >= settings.threshold
    if settings.dilation > 1:
        cells = ndimage.binary_dilation(cells, np.ones((settings.dilation,) * 2, bool))
    found = _bounds(cells)
    shape = np.array(probability.shape[::-1])
    side = np.maximum(found[:, 2:] - found[:, :2], settings.min_side)
    begin = found[:, :2] - (side - (found[:, 2:] - found[:, :2]) + 1) // 2
    begin = np.maximum(np.minimum(begin, shape - side), 0)
    return joined(np.concatenate([begin, np.minimum(begin + side, shape)], axis=1))


def joined(rectangles: np.ndarray) -> np.ndarray:
    """Rectangles of which those that overlap or touch, also at corners, became one around both, until none does.

    Args:
        rectangles: (n, 4) whole numbers, not negative.

    Returns:
        (m, 4) int64 in the order of their upper left corners.

    Example:
        >>> joined(np.array([[0, 0, 4, 4], [4, 4, 8, 8], [12, 0, 14, 2]])).tolist()
        [[0, 0, 8, 8], [12, 0, 14, 2]]
    """
    while len(rectangles):
        width, height = rectangles[:, 2:].max(axis=0)
        painted = np.zeros((height, width), bool)
        for x1, y1, x2, y2 in rectangles:
            painted[y1:y2, x1:x2] = True
        count, rectangles = len(rectangles), _bounds(painted)
        if len(rectangles) == count:
            break
    return rectangles


def to_next_scale(rectangles: np.ndarray, stride: int, size: tuple[int, int], next_size: tuple[int, int]) -> np.ndarray:
    """Rectangles in cells of one scale as rectangles in pixels of the next.

    They are grown to whole cells of the next scale, cut to the image, and joined there.

    Args:
        rectangles: (n, 4) in cells of the map of the image at this scale.
        stride: Pixels per cell, at both scales.
        size: Width and height of the image at this scale, pixels.
        next_size: The same at the next scale.

    Returns:
        (m, 4) int64 in pixels of the next scale; corners are multiples of the stride or lie on the image's border.

    Example:
        >>> to_next_scale(np.array([[6, 3, 10, 7]]), 16, (320, 160), (640, 320)).tolist()
        [[192, 96, 320, 224]]
    """
    ratio = np.array(next_size * 2) / np.array(size * 2)
    pixels = np.minimum(rectangles * stride, size * 2) * ratio / stride
    cells = np.concatenate([np.floor(pixels[:, :2] + 1e-6), np.ceil(pixels[:, 2:] - 1e-6)], axis=1).astype(np.int64)
    return np.minimum(joined(cells) * stride, next_size * 2)


def near_inner_edge(
    boxes: np.ndarray,
    rectangle: Sequence[float] | np.ndarray,
    size: tuple[float, float],
    margin: float,
    tolerance: float = 0.5,
) -> np.ndarray:
    """Which detections of a rectangle end near one of its sides that does not lie on the image's border.

    They may be parts of objects that the rectangle cuts: another rectangle or scale has these whole.

    Args:
        boxes: (n, 4) in any pixels, those of the other arguments.
        rectangle: (4,).
        size: Width and height of the image.
        margin: Least distance of a box from an inner side.
        tolerance: A side so near to the image's border lies on it.

    Returns:
        (n,) bool.

    Example:
        >>> near_inner_edge(np.array([[100, 100, 140, 140]]), (95, 0, 400, 300), (640, 480), 10).tolist()
        [True]
    """
    x1, y1, x2, y2 = rectangle
    inner = np.array([x1 > tolerance, y1 > tolerance, x2 < size[0] - tolerance, y2 < size[1] - tolerance])
    return ((np.abs(boxes - np.asarray(rectangle)) < margin) & inner).any(axis=1)


def batches_by_size(sizes: np.ndarray, most_pixels: int) -> list[list[int]]:
    """Rectangles to be padded to one size and to pass the detector together.

    Args:
        sizes: (n, 2) widths and heights in pixels.
        most_pixels: Pixels of a batch, padding included; a rectangle alone may have more.

    Returns:
        Lists of positions, each of which stands in one of them; the largest rectangles first. A batch has at most
        ``MOST_PADDING`` times the pixels of its rectangles.

    Example:
        >>> batches_by_size(np.array([[64, 32], [24, 64], [64, 32], [32, 64]]), 8192)
        [[3, 1], [0, 2]]
    """
    sizes = np.asarray(sizes, dtype=np.int64).reshape(-1, 2)
    area = sizes.prod(axis=1)
    order = np.lexsort((-area, sizes[:, 0] > sizes[:, 1]))
    batches: list[list[int]] = []
    for index in order.tolist():
        if batches:
            together = [*batches[-1], index]
            padded = len(together) * int(sizes[together].max(axis=0).prod())
            if padded <= most_pixels and padded <= MOST_PADDING * area[together].sum():
                batches[-1] = together
                continue
        batches.append([index])
    return batches


def _bounds(cells: np.ndarray) -> np.ndarray:
    """(n, 4) rectangles around the parts of a mask that hang together, also at corners."""
    slices = ndimage.find_objects(ndimage.label(cells, _EIGHT)[0])
    found = [(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in slices]
    return np.array(found, dtype=np.int64).reshape(-1, 4)
