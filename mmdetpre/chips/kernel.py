"""The compiled inner loops of chip mining.

All compiled functions live in this one file because numba checks its on-disk cache against the file of the outermost
function only: a helper in another file could change without the cache noticing.

Candidate chips of a scaled image form a product grid: x in {0, t, 2t, ...} below ``width - chip_size`` plus the flush
position ``width - chip_size``, and y alike. A box is therefore contained in a rectangle of grid cells, and the greedy
cover works on one counter per cell instead of one comparison per candidate and box.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np


def _compiled(function: Callable) -> Callable:
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the home directory can be written: compile in every process
        return numba.njit(**options)(function)


# One covered box adds _ONE_BOX to a cell's key; the bits below break ties.
_COUNT_SHIFT = 40
_ONE_BOX = np.int64(1 << _COUNT_SHIFT)
_TIE_SHIFT = np.uint64(64 - _COUNT_SHIFT)


@_compiled
def _mix(value):
    """The finaliser of the splitmix64 generator: a bijection on 64 bits without visible structure."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@_compiled
def _cells(side, chip_size, stride):
    """Number of candidate positions along one side."""
    return 1 if side <= chip_size else (side - chip_size + stride - 1) // stride + 1


@_compiled
def _position(cell, cells, side, chip_size, stride):
    return cell * stride if cell < cells - 1 else max(side - chip_size, 0)


@_compiled
def _containing(start, end, cells, side, chip_size, stride):
    """First and last candidate position whose chip contains [start, end]; first > last if there is none.

    The flush chip counts as open-ended: a scaled image is cut to whole pixels, its boxes are not.
    """
    last = cells - 1 if start >= max(side - chip_size, 0) else int(start) // stride
    beyond = int(np.ceil(end)) - chip_size
    first = min((beyond + stride - 1) // stride, cells - 1) if beyond > 0 else 0
    return first, last


@_compiled
def _measure(width, height, boxes, ignore, clipped, extent):
    """Clip boxes to their image; ``extent`` gets sqrt(area), longest and shortest side, or zeros for unusable boxes."""
    for j in range(len(boxes)):
        clipped[j, 0] = min(max(np.float64(boxes[j, 0]), 0.0), width)
        clipped[j, 1] = min(max(np.float64(boxes[j, 1]), 0.0), height)
        clipped[j, 2] = min(max(np.float64(boxes[j, 2]), 0.0), width)
        clipped[j, 3] = min(max(np.float64(boxes[j, 3]), 0.0), height)
        w = clipped[j, 2] - clipped[j, 0]
        h = clipped[j, 3] - clipped[j, 1]
        usable = w >= 1.0 and h >= 1.0 and not ignore[j]
        extent[j, 0] = np.sqrt(w * h) if usable else 0.0
        extent[j, 1] = max(w, h) if usable else 0.0
        extent[j, 2] = min(w, h) if usable else 0.0


@_compiled
def _select(count, extent, factors, ranges, chip_size, stride, rescue, selected, candidate, orphan):
    """Which boxes drive chips (``selected``) and which may be valid in chips (``candidate``) at which scale."""
    coarsest = len(factors) - 1
    for j in range(count):
        area, longest, shortest = extent[j, 0], extent[j, 1], extent[j, 2]
        anywhere = False
        too_long = False
        for i in range(coarsest):
            lo, hi = ranges[i, 0], ranges[i, 1]
            fits = longest < (chip_size - stride - 1) / factors[i]
            learned = shortest >= 2.0 and (hi < 0 or area < hi)
            drives = learned and (i == 0 or area >= lo)
            candidate[j, i] = learned and fits
            selected[j, i] = drives and fits
            anywhere |= drives and fits
            too_long |= drives and not fits
        seen = shortest > 0.0 and area >= ranges[coarsest, 0]
        orphan[j] = too_long and not anywhere and not seen
        seen |= orphan[j] and rescue
        candidate[j, coarsest] = seen
        selected[j, coarsest] = seen


@_compiled
def _cover(count, rectangles, wanted, columns, rows, salt, keys, waiting, chosen):
    """Greedy cover; returns how many cells were chosen. ``rectangles``: first and last column, first and last row."""
    left = 0
    for j in range(count):
        if wanted[j]:
            waiting[left] = j
            left += 1
    if left == 0:
        return 0
    for cell in range(columns * rows):
        keys[cell] = np.int64(_mix(salt + np.uint64(cell)) >> _TIE_SHIFT)
    for k in range(left):
        j = waiting[k]
        for row in range(rectangles[j, 2], rectangles[j, 3] + 1):
            for cell in range(row * columns + rectangles[j, 0], row * columns + rectangles[j, 1] + 1):
                keys[cell] += _ONE_BOX
    chips = 0
    while left > 0:
        top = np.int64(0)
        for cell in range(columns * rows):
            top = max(top, keys[cell])
        if top < _ONE_BOX:
            raise AssertionError("a selected box fits no candidate chip: please report these chip settings")
        best = 0
        while keys[best] != top:
            best += 1
        chosen[chips] = best
        chips += 1
        column, row = best % columns, best // columns
        still = 0
        for k in range(left):
            j = waiting[k]
            if rectangles[j, 0] <= column <= rectangles[j, 1] and rectangles[j, 2] <= row <= rectangles[j, 3]:
                for y in range(rectangles[j, 2], rectangles[j, 3] + 1):
                    for cell in range(y * columns + rectangles[j, 0], y * columns + rectangles[j, 1] + 1):
                        keys[cell] -= _ONE_BOX
            else:
                waiting[still] = j
                still += 1
        left = still
    return chips


@_compiled
def _best_chip(box, s, rectangle, columns, chosen, origin, size, chips):
    """The chip that shows most of a box, the first on ties; -1 if less than one original pixel shows per direction.

    Comparing the visible size with the valid range would decide nothing: at the coarsest scale every box is whole, and
    elsewhere the visible part is no larger than a box that is itself below the upper bound.
    """
    for k in range(chips):
        column, row = chosen[k] % columns, chosen[k] // columns
        if rectangle[0] <= column <= rectangle[1] and rectangle[2] <= row <= rectangle[3]:
            return k
    best, best_area = -1, 0.0
    for k in range(chips):
        dx = min(box[2], (origin[k, 0] + size[k, 0]) / s) - max(box[0], origin[k, 0] / s)
        dy = min(box[3], (origin[k, 1] + size[k, 1]) / s) - max(box[1], origin[k, 1] / s)
        if dx > 0.0 and dy > 0.0 and dx * dy > best_area:
            best_area = dx * dy
            best = k if dx >= 1.0 and dy >= 1.0 else -1
    return best


@_compiled
def select_range(sizes, offsets, boxes, ignore, factors, ranges, chip_size, stride):
    """Selection alone: (M, S) bool boxes that drive chips without rescue, and (M,) bool orphans."""
    selected = np.zeros((len(boxes), factors.shape[1]), dtype=np.bool_)
    candidate = np.zeros((len(boxes), factors.shape[1]), dtype=np.bool_)
    orphan = np.zeros(len(boxes), dtype=np.bool_)
    clipped = np.empty((len(boxes), 4), dtype=np.float64)
    extent = np.empty((len(boxes), 3), dtype=np.float64)
    for n in range(len(sizes)):
        a, b = offsets[n], offsets[n + 1]
        here = extent[a:b]
        found = (selected[a:b], candidate[a:b], orphan[a:b])
        _measure(sizes[n, 0], sizes[n, 1], boxes[a:b], ignore[a:b], clipped[a:b], here)
        _select(b - a, here, factors[n], ranges[n], chip_size, stride, False, *found)
    return selected, orphan


@_compiled
def mine_range(
    sizes, scaled, offsets, boxes, ignore, factors, ranges, chip_size, stride, rescue, seed, epoch, first_image
):
    """Mine a range of images; the columns of a ChipTable.

    ``sizes`` (n, 2), ``scaled`` (n, S, 2) and ``offsets`` (n + 1,) int64; ``boxes`` (m, 4) float32; ``ignore`` (m,)
    bool; ``factors`` (n, S) and ``ranges`` (n, S, 2) float64; ``seed`` and ``epoch`` uint64; ``first_image`` int64.
    """
    images, scales = factors.shape
    most_cells, most_boxes = 1, 0
    for n in range(images):
        most_boxes = max(most_boxes, offsets[n + 1] - offsets[n])
        for i in range(scales):
            columns = _cells(scaled[n, i, 0], chip_size, stride)
            most_cells = max(most_cells, columns * _cells(scaled[n, i, 1], chip_size, stride))
    keys = np.empty(most_cells, dtype=np.int64)
    clipped = np.empty((most_boxes, 4), dtype=np.float64)
    extent = np.empty((most_boxes, 3), dtype=np.float64)
    selected = np.empty((most_boxes, scales), dtype=np.bool_)
    candidate = np.empty((most_boxes, scales), dtype=np.bool_)
    orphan = np.empty(most_boxes, dtype=np.bool_)
    rectangles = np.empty((most_boxes, 4), dtype=np.int64)
    waiting = np.empty(most_boxes, dtype=np.int64)
    chosen = np.empty(most_boxes, dtype=np.int64)
    owner = np.empty(most_boxes, dtype=np.int64)

    # A chip covers a box that no earlier chip of its scale covers, so there are never more chips than boxes and scales.
    bound = len(boxes) * scales
    image = np.empty(bound, dtype=np.int32)
    scale = np.empty(bound, dtype=np.int16)
    origin = np.empty((bound, 2), dtype=np.int32)
    size = np.empty((bound, 2), dtype=np.int32)
    valid_offsets = np.empty(bound + 1, dtype=np.int64)
    valid = np.empty(bound, dtype=np.int32)
    valid_offsets[0] = 0
    total, total_valid = 0, 0

    for n in range(images):
        start = offsets[n]
        count = offsets[n + 1] - start
        if count == 0:
            continue
        _measure(sizes[n, 0], sizes[n, 1], boxes[start : start + count], ignore[start : start + count], clipped, extent)
        _select(count, extent, factors[n], ranges[n], chip_size, stride, rescue, selected, candidate, orphan)
        salt = _mix(_mix(_mix(seed) ^ epoch) ^ np.uint64(first_image + n))
        for i in range(scales):
            s = factors[n, i]
            width, height = scaled[n, i, 0], scaled[n, i, 1]
            columns = _cells(width, chip_size, stride)
            rows = _cells(height, chip_size, stride)
            for j in range(count):
                if candidate[j, i]:
                    rectangles[j, 0], rectangles[j, 1] = _containing(
                        clipped[j, 0] * s, clipped[j, 2] * s, columns, width, chip_size, stride
                    )
                    rectangles[j, 2], rectangles[j, 3] = _containing(
                        clipped[j, 1] * s, clipped[j, 3] * s, rows, height, chip_size, stride
                    )
            chips = _cover(
                count, rectangles, selected[:, i], columns, rows, _mix(salt ^ np.uint64(i)), keys, waiting, chosen
            )
            if chips == 0:
                continue
            for k in range(chips):
                image[total + k] = first_image + n
                scale[total + k] = i
                origin[total + k, 0] = _position(chosen[k] % columns, columns, width, chip_size, stride)
                origin[total + k, 1] = _position(chosen[k] // columns, rows, height, chip_size, stride)
                size[total + k, 0] = min(width, chip_size)
                size[total + k, 1] = min(height, chip_size)
                valid_offsets[total + k + 1] = 0
            for j in range(count):
                owner[j] = -1
                if candidate[j, i]:
                    owner[j] = _best_chip(
                        clipped[j], s, rectangles[j], columns, chosen, origin[total:], size[total:], chips
                    )
                    if owner[j] >= 0:
                        valid_offsets[total + owner[j] + 1] += 1
            for k in range(chips):
                waiting[k] = valid_offsets[total + k]
                valid_offsets[total + k + 1] += valid_offsets[total + k]
            for j in range(count):
                if owner[j] >= 0:
                    valid[waiting[owner[j]]] = j
                    waiting[owner[j]] += 1
            total += chips
            total_valid = valid_offsets[total]
    return (
        image[:total].copy(),
        scale[:total].copy(),
        origin[:total].copy(),
        size[:total].copy(),
        valid_offsets[: total + 1].copy(),
        valid[:total_valid].copy(),
    )
