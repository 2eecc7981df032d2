"""Cut one chip out of a scaled image without scaling the image."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mmdetpre.utils.numba_jit import compiled


def cut_chip(image: np.ndarray, chip: tuple[int, int, int, int], scale_factor: float, reduction: int = 1) -> np.ndarray:
    """One chip of an image as if the whole image had been resized first.

    Only the source rectangle is touched. Bilinear with exact sub-pixel positions: pixel centers lie at +0.5, a point
    ``p`` of the original lies at ``p * scale_factor``; beyond the border the edge repeats.

    Args:
        image: (h, w, 3) uint8, the original or its reduced decode.
        chip: x, y, width, height in pixels of the scaled image.
        scale_factor: Scaled over original size.
        reduction: How many times smaller ``image`` was decoded.

    Returns:
        (height, width, 3) uint8.

    Example:
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> bool((cut_chip(image, (2, 1, 4, 3), 1.0) == image[1:4, 2:6]).all())
        True
    """
    x, y, width, height = chip
    height_in, width_in = image.shape[:2]
    step = 1 / (scale_factor * reduction)  # pixels of `image` per chip pixel
    if step == 1 and x + width <= width_in and y + height <= height_in:
        return np.ascontiguousarray(image[y : y + height, x : x + width])
    if x == y == 0:  # every chip of the coarsest scale: OpenCV's resize has no offset, but is the fastest
        source = image[: math.ceil(height * step) + 1, : math.ceil(width * step) + 1]
        if round(source.shape[0] / step) >= height and round(source.shape[1] / step) >= width:
            scaled = cv2.resize(source, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_LINEAR)
            return np.ascontiguousarray(scaled[:height, :width])
    out = np.empty((height, width, 3), np.uint8)
    _interpolate(np.ascontiguousarray(image), x, y, step, out)
    return out


def reduce_image(image: np.ndarray, reduction: int, wanted: int) -> tuple[np.ndarray, int]:
    """An image that was decoded ``reduction`` times smaller as if decoded ``wanted`` times smaller: means of squares.

    Args:
        image: (h, w, 3) uint8.
        reduction: 1, 2, 4 or 8.
        wanted: 1, 2, 4 or 8; the image stays as it is where that is not smaller.

    Returns:
        The image and how many times smaller it is.

    Example:
        >>> reduced, times = reduce_image(np.arange(150, dtype=np.uint8).reshape(10, 5, 3), 1, 4)
        >>> reduced.shape, times
        ((3, 2, 3), 4)
    """
    if wanted <= reduction:
        return image, reduction
    step = wanted // reduction
    height, width = image.shape[:2]
    if height % step or width % step:
        image = cv2.copyMakeBorder(image, 0, -height % step, 0, -width % step, cv2.BORDER_REPLICATE)
    size = (image.shape[1] // step, image.shape[0] // step)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), wanted


@compiled
def _interpolate(image: np.ndarray, x: int, y: int, step: float, out: np.ndarray) -> None:
    """Fill ``out`` row by row, in the order that does less: across first unless the chip has fewer pixels."""
    if step > 1.15:
        _down_then_across(image, x, y, step, out)
    else:
        _across_then_down(image, x, y, step, out)


@compiled
def _across_then_down(image: np.ndarray, x: int, y: int, step: float, out: np.ndarray) -> None:
    """The two rows of ``image`` between which a row of ``out`` lies are stretched once and kept."""
    height, width = out.shape[:2]
    rows_in, columns_in = image.shape[:2]
    top, down = _neighbors(y, height, step, rows_in)
    left, right, across = _neighboring_values(x, width, step, columns_in, 0)
    next_row, count = min(1, rows_in - 1), 3 * width
    stretched = np.empty((2, count), np.float32)
    stretched_row = np.full(2, -1, np.int64)
    before, after = np.empty(count, np.float32), np.empty(count, np.float32)
    for v in range(height):
        first = np.int64(top[v])
        second = first + next_row
        for row in (first, second):
            slot = row % 2
            if stretched_row[slot] == row:
                continue
            stretched_row[slot] = row
            source, target = image[row].reshape(3 * columns_in), stretched[slot]
            for i in range(count):  # two loops: the second one is done with vectors
                before[i] = source[left[i]]
                after[i] = source[right[i]]
            for i in range(count):
                target[i] = before[i] + (after[i] - before[i]) * across[i]
        above, below = stretched[first % 2], stretched[second % 2]
        weight, line = down[v], out[v].reshape(count)
        for i in range(count):
            line[i] = np.uint8(np.int32(above[i] + (below[i] - above[i]) * weight + np.float32(0.5)))


@compiled
def _down_then_across(image: np.ndarray, x: int, y: int, step: float, out: np.ndarray) -> None:
    """Rows of ``image`` are mixed with vectors, in the columns that the chip needs."""
    height, width = out.shape[:2]
    rows_in, columns_in = image.shape[:2]
    top, down = _neighbors(y, height, step, rows_in)
    columns = _neighbors(x, width, step, columns_in)[0]
    begin, end = np.int64(columns[0]), min(columns_in, np.int64(columns[width - 1]) + 2)
    left, right, across = _neighboring_values(x, width, step, columns_in, begin)
    next_row, count = min(1, rows_in - 1), 3 * (end - begin)
    mixed = np.empty(count, np.float32)
    for v in range(height):
        row = np.int64(top[v])
        above = image[row, begin:end].reshape(count)
        below, weight = image[row + next_row, begin:end].reshape(count), down[v]
        for i in range(count):
            value = np.float32(above[i])
            mixed[i] = value + (np.float32(below[i]) - value) * weight
        line = out[v].reshape(3 * width)
        for i in range(3 * width):
            value = mixed[left[i]]
            line[i] = np.uint8(np.int32(value + (mixed[right[i]] - value) * across[i] + np.float32(0.5)))


@compiled
def _neighboring_values(
    first: int, count: int, step: float, size: int, begin: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, in a row of three channels from column ``begin`` on, between which each value lies, and how far."""
    index, weight = _neighbors(first, count, step, size)
    following = np.uintp(3 * min(1, size - 1))
    left, across = np.empty(3 * count, np.uintp), np.empty(3 * count, np.float32)
    for u in range(count):
        for channel in range(3):
            left[3 * u + channel] = 3 * (index[u] - np.uintp(begin)) + np.uintp(channel)
            across[3 * u + channel] = weight[u]
    return left, left + following, across


@compiled
def _neighbors(first: int, count: int, step: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Index of the source pixel before each chip pixel, and how far on the way to the next one it lies."""
    index, weight = np.empty(count, np.uintp), np.empty(count, np.float32)
    for i in range(count):
        position = min(max((first + i + 0.5) * step - 0.5, 0.0), size - 1.0)
        before = min(int(position), max(size - 2, 0))
        index[i], weight[i] = before, position - before
    return index, weight
