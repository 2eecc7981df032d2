"""The compiled inner loops of chip mining.

All compiled functions live in this one file because numba checks its on-disk cache against the file of the outermost
function only: a helper in another file could change without the cache noticing.

Candidate chips of a scaled image form a product grid: x in {0, t, 2t, ...} below ``width - chip_size`` plus the flush
position ``width - chip_size``, and y alike. A box is therefore contained in a rectangle of grid cells, and the greedy
cover works on one counter per cell instead of one comparison per candidate and box.
"""

from __future__ import annotations

import numpy as np

from mmdetpre.utils.numba_jit import compiled

# One covered box adds _ONE_BOX to a cell's key; the bits below break ties.
_COUNT_SHIFT = 40
_ONE_BOX = np.int64(1 << _COUNT_SHIFT)
_TIE_SHIFT = np.uint64(64 - _COUNT_SHIFT)
_MOST_BOXES, _MOST_STEPS = 62, 20_000  # of the search for a smaller cover: bits of an integer, cells tried


@compiled
def _mix(value):
    """The finaliser of the splitmix64 generator: a bijection on 64 bits without visible structure."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def _cells(side, chip_size, stride):
    """Number of candidate positions along one side."""
    return 1 if side <= chip_size else (side - chip_size + stride - 1) // stride + 1


@compiled
def _position(cell, cells, side, chip_size, stride):
    return cell * stride if cell < cells - 1 else max(side - chip_size, 0)


@compiled
def _containing(start, end, cells, side, chip_size, stride):
    """First and last candidate position whose chip contains [start, end]; first > last if there is none.

    The flush chip counts as open-ended: a scaled image is cut to whole pixels, its boxes are not.
    """
    last = cells - 1 if start >= max(side - chip_size, 0) else int(start) // stride
    beyond = int(np.ceil(end)) - chip_size
    first = min((beyond + stride - 1) // stride, cells - 1) if beyond > 0 else 0
    return first, last


@compiled
def _cells_around(box, s, columns, rows, width, height, chip_size, stride, rectangle):
    """First and last column, first and last row of the cells that contain a box (original pixels)."""
    rectangle[0], rectangle[1] = _containing(box[0] * s, box[2] * s, columns, width, chip_size, stride)
    rectangle[2], rectangle[3] = _containing(box[1] * s, box[3] * s, rows, height, chip_size, stride)


@compiled
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


@compiled
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


@compiled
def _cover(count, rectangles, wanted, columns, rows, salt, keys, waiting, chosen, fewest, banned):
    """Greedy cover by cells that cover at least ``fewest`` further boxes; no cell that contains a ``banned`` box.

    ``rectangles`` of a box: first and last column, first and last row of the cells that contain it. Returns how many
    cells were chosen, and how many wanted boxes are left.
    """
    left = 0
    for j in range(count):
        if wanted[j]:
            waiting[left] = j
            left += 1
    if left < fewest or left == 0:
        return 0, left
    for cell in range(columns * rows):
        keys[cell] = np.int64(_mix(salt + np.uint64(cell)) >> _TIE_SHIFT)
    for j in range(len(banned)):
        if banned[j]:
            for row in range(rectangles[j, 2], rectangles[j, 3] + 1):
                for cell in range(row * columns + rectangles[j, 0], row * columns + rectangles[j, 1] + 1):
                    keys[cell] = -(_ONE_BOX << 21)
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
        if top < fewest * _ONE_BOX:
            break
        best = 0
        while keys[best] != top:
            best += 1
        chosen[chips] = best
        chips += 1
        column, row = best % columns, best // columns
        still = 0
        for k in range(left):
            j = waiting[k]
            if _in_cell(rectangles[j], column, row):
                for y in range(rectangles[j, 2], rectangles[j, 3] + 1):
                    for cell in range(y * columns + rectangles[j, 0], y * columns + rectangles[j, 1] + 1):
                        keys[cell] -= _ONE_BOX
            else:
                waiting[still] = j
                still += 1
        left = still
    return chips, left


@compiled
def _in_cell(rectangle, column, row):
    return rectangle[0] <= column <= rectangle[1] and rectangle[2] <= row <= rectangle[3]


@compiled
def _first_of(bits):
    """Number of the lowest bit that is set."""
    place = 0
    while not (bits >> place) & 1:
        place += 1
    return place


@compiled
def _at_least(bits, beside):
    """A number of cells below which no cover of these boxes can go: boxes of which no two share a cell."""
    cells = 0
    while bits:
        cells += 1
        bits &= ~beside[_first_of(bits)]
    return cells


@compiled
def _fewest_cover(rectangles, columns, salt, chosen, chips):
    """Replace the ``chips`` cells ``chosen`` by fewer that cover the same boxes, if a bounded search finds them.

    Branch and bound over sets of boxes, as bits of an integer. Any chip may be moved right and down until it would lose
    a box, so the last column of one box and the last row of another make all cells that are needed. In the end one of
    all cells with the same boxes is drawn, or objects would gather at the edges of chips. Returns the number of cells.
    """
    boxes = len(rectangles)
    sets, found = np.empty(boxes * boxes, np.int64), 0
    beside = np.zeros(boxes, np.int64)  # boxes that share a cell with each box, itself included
    for a in range(boxes if boxes <= _MOST_BOXES else 0):
        for b in range(boxes):
            column, row = rectangles[a, 1], rectangles[b, 3]
            if not (_in_cell(rectangles[a], column, row) and _in_cell(rectangles[b], column, row)):
                continue
            inside = np.int64(0)
            for k in range(boxes):
                inside |= np.int64(_in_cell(rectangles[k], column, row)) << k
            for k in range(boxes):
                beside[k] |= inside * ((inside >> k) & 1)
            if not (inside & ~sets[:found] == 0).any():
                sets[found] = inside
                found += 1
    rest, tried, solution = np.empty(chips, np.int64), np.empty(chips, np.int64), np.empty(chips, np.int64)
    best, depth = chips, 0 if found else -1
    rest[0], tried[0] = (np.int64(1) << boxes) - 1, -1
    for _ in range(_MOST_STEPS):
        if depth < 0:
            break
        cell, box = tried[depth] + 1, _first_of(rest[depth])
        while cell < found and not (sets[cell] >> box) & 1:
            cell += 1
        tried[depth] = cell
        if cell == found or depth + _at_least(rest[depth], beside) >= best:
            depth -= 1
            continue
        left = rest[depth] & ~sets[cell]
        if left and depth + 1 < best - 1:
            depth += 1
            rest[depth], tried[depth] = left, -1
        elif not left:
            best = depth + 1
            solution[:best] = sets[tried[:best]]
    for k in range(best if best < chips else 0):
        around = np.array([0, columns - 1, 0, np.int64(1) << 40])
        for j in range(boxes):
            if (solution[k] >> j) & 1:
                around[::2] = np.maximum(around[::2], rectangles[j, ::2])
                around[1::2] = np.minimum(around[1::2], rectangles[j, 1::2])
        across = around[1] - around[0] + 1
        drawn = _mix(salt ^ np.uint64(k + 1)) % np.uint64(across * (around[3] - around[2] + 1))
        chosen[k] = (around[2] + np.int64(drawn) // across) * columns + around[0] + np.int64(drawn) % across
    return best


@compiled
def _best_chip(box, s, rectangle, columns, chosen, origin, size, chips):
    """The chip that shows most of a box, the first on ties; -1 if less than one original pixel shows per direction.

    Comparing the visible size with the valid range would decide nothing: at the coarsest scale every box is whole, and
    elsewhere the visible part is at most as large as a box that is itself below the upper bound.
    """
    for k in range(chips):
        if _in_cell(rectangle, chosen[k] % columns, chosen[k] // columns):
            return k
    best, best_area = -1, 0.0
    for k in range(chips):
        dx = min(box[2], (origin[k, 0] + size[k, 0]) / s) - max(box[0], origin[k, 0] / s)
        dy = min(box[3], (origin[k, 1] + size[k, 1]) / s) - max(box[1], origin[k, 1] / s)
        if dx > 0.0 and dy > 0.0 and dx * dy > best_area:
            best_area = dx * dy
            best = k if dx >= 1.0 and dy >= 1.0 else -1
    return best


@compiled
def select_range(sizes, offsets, boxes, ignore, factors, ranges, chip_size, stride):
    """Selection alone: (M, S) bool boxes that drive chips without rescue, and (M,) bool orphans.

    Args:
        sizes, offsets, boxes, ignore, factors, ranges, chip_size, stride: As in :func:`mine_range`.
    """
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


@compiled
def _workspace(offsets, scaled, chip_size, stride):
    """Scratch arrays large enough for every image of a range."""
    most_cells, most_boxes, scales = 1, 0, scaled.shape[1]
    for n in range(len(scaled)):
        most_boxes = max(most_boxes, offsets[n + 1] - offsets[n])
        for i in range(scales):
            columns = _cells(scaled[n, i, 0], chip_size, stride)
            most_cells = max(most_cells, columns * _cells(scaled[n, i, 1], chip_size, stride))
    keys, rectangles = np.empty(most_cells, dtype=np.int64), np.empty((most_boxes, 4), dtype=np.int64)
    clipped, extent = np.empty((most_boxes, 4), dtype=np.float64), np.empty((most_boxes, 3), dtype=np.float64)
    selected, candidate = np.empty((most_boxes, scales), dtype=np.bool_), np.empty((most_boxes, scales), dtype=np.bool_)
    waiting, chosen = np.empty(most_boxes, dtype=np.int64), np.empty(most_boxes, dtype=np.int64)
    return keys, clipped, extent, selected, candidate, np.empty(most_boxes, np.bool_), rectangles, waiting, chosen


@compiled
def _columns(chips, valid):
    """Room for the columns of a ChipTable."""
    image, scale = np.empty(chips, dtype=np.int32), np.empty(chips, dtype=np.int16)
    origin, size = np.empty((chips, 2), dtype=np.int32), np.empty((chips, 2), dtype=np.int32)
    return image, scale, origin, size, np.zeros(chips + 1, dtype=np.int64), np.empty(valid, dtype=np.int32)


@compiled
def _trimmed(n, k, image, scale, origin, size, offsets, valid):
    columns = (image[:n].copy(), scale[:n].copy(), origin[:n].copy(), size[:n].copy())
    return *columns, offsets[: n + 1].copy(), valid[:k].copy()


@compiled
def mine_range(
    sizes, scaled, offsets, boxes, ignore, factors, ranges, chip_size, stride, rescue, fewest, seed, epoch, first_image
):
    """Mine a range of images; the columns of a ChipTable.

    Args:
        sizes: (n, 2) int64 width and height of the images, pixels.
        scaled: (n, S, 2) int64 width and height at each scale, pixels.
        offsets: (n + 1,) int64 first box of each image.
        boxes: (m, 4) float32 xyxy in image pixels.
        ignore: (m,) bool.
        factors: (n, S) float64 scale factors.
        ranges: (n, S, 2) float64 valid ranges, pixels.
        chip_size: Side of a chip, pixels.
        stride: Distance of neighboring chips, pixels.
        rescue: Let the coarsest scale take boxes that are in no valid range (orphans).
        fewest: Search for a cover of fewer chips than the greedy one.
        seed: Seed, uint64.
        epoch: Epoch, uint64.
        first_image: Number of the first image in the data set, int64.
    """
    images, scales = factors.shape
    space = _workspace(offsets, scaled, chip_size, stride)
    keys, clipped, extent, selected, candidate, orphan, rectangles, waiting, chosen = space
    owner = np.empty(len(waiting), dtype=np.int64)
    no_boxes = np.zeros(0, dtype=np.bool_)

    # A chip covers a box that no earlier chip of its scale covers, so there are never more chips than boxes and scales.
    bound = len(boxes) * scales
    image, scale, origin, size, valid_offsets, valid = _columns(bound, bound)
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
                    _cells_around(clipped[j], s, columns, rows, width, height, chip_size, stride, rectangles[j])
            mixed = _mix(salt ^ np.uint64(i))
            wanted = selected[:, i]
            chips, left = _cover(count, rectangles, wanted, columns, rows, mixed, keys, waiting, chosen, 1, no_boxes)
            if left > 0:
                raise AssertionError("a selected box fits no candidate chip: please report these chip settings")
            if fewest and chips > 2:
                chips = _fewest_cover(rectangles[np.flatnonzero(wanted[:count])], columns, mixed, chosen, chips)
            if chips == 0:
                continue
            for k in range(chips):
                image[total + k], scale[total + k], valid_offsets[total + k + 1] = first_image + n, i, 0
                origin[total + k, 0] = _position(chosen[k] % columns, columns, width, chip_size, stride)
                origin[total + k, 1] = _position(chosen[k] // columns, rows, height, chip_size, stride)
                size[total + k, 0], size[total + k, 1] = min(width, chip_size), min(height, chip_size)
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
    return _trimmed(total, total_valid, image, scale, origin, size, valid_offsets, valid)


@compiled
def _shows(box, s, origins, sizes, image_size, scaled):
    """Whether the chip that shows most of a box, the first on ties, shows at least one original pixel each way.

    A chip flush with the border reaches the border of the uncut image.
    """
    best_dx, best_dy = 0.0, 0.0
    for k in range(len(origins)):
        right, bottom = origins[k, 0] + sizes[k, 0], origins[k, 1] + sizes[k, 1]
        dx = min(box[2], image_size[0] if right >= scaled[0] else right / s) - max(box[0], origins[k, 0] / s)
        dy = min(box[3], image_size[1] if bottom >= scaled[1] else bottom / s) - max(box[1], origins[k, 1] / s)
        if dx > 0.0 and dy > 0.0 and dx * dy > best_dx * best_dy:
            best_dx, best_dy = dx, dy
    return best_dx >= 1.0 and best_dy >= 1.0


@compiled
def mine_negatives_range(
    sizes, scaled, offsets, known, boxes, ignore, starts, chips, factors, ranges, chip_size, stride, rescue,
    thresholds, most_chips, exclude, seed, epoch, first_image,
):  # fmt: skip
    """Mine negative chips of a range of images; the columns of a ChipTable and the boxes counted in each chip.

    Args:
        sizes, scaled, ignore, factors, ranges, chip_size, stride, rescue, seed, epoch, first_image: As in
            :func:`mine_range`.
        offsets: (n + 1,) int64 first box of each image.
        known: (n,) int64 number of ground-truth boxes, which come first.
        boxes: (m, 4) float32 xyxy in image pixels: ground truth, then proposals.
        starts: (n + 1,) int64 first positive chip of each image.
        chips: Columns of the positive chips: scale, origin, size, valid_offsets, valid.
        thresholds: (S,) int64 per scale; a chip needs more boxes than that.
        most_chips: Maximum number of negative chips of an image.
        exclude: Chips show no valid ground-truth box; otherwise these boxes count as proposals do.
    """
    images, scales = factors.shape
    chip_scale, chip_origin, chip_sizes, chip_valid_offsets, chip_valid = chips
    space = _workspace(offsets, scaled, chip_size, stride)
    keys, clipped, extent, selected, candidate, orphan, rectangles, waiting, chosen = space
    owner = np.empty((len(waiting), scales), dtype=np.int64)
    pool = np.empty((scales * min(len(waiting), len(keys)), 4), dtype=np.int64)  # scale, x, y, boxes

    bound = images * most_chips
    image, scale, origin, size, valid_offsets, valid = _columns(bound, known.sum() * scales)
    counts = np.empty(bound, dtype=np.int32)
    total, total_valid = 0, 0

    for n in range(images):
        start, count, mine = offsets[n], offsets[n + 1] - offsets[n], known[n]
        if ignore[start : start + mine].all():
            continue
        here = boxes[start : start + count]
        _measure(sizes[n, 0], sizes[n, 1], here, ignore[start : start + count], clipped, extent)
        _select(count, extent, factors[n], ranges[n], chip_size, stride, rescue, selected, candidate, orphan)
        salt = _mix(_mix(_mix(seed) ^ epoch) ^ np.uint64(first_image + n))
        pooled, chip = 0, starts[n]
        for i in range(scales):
            s = factors[n, i]
            width, height = scaled[n, i, 0], scaled[n, i, 1]
            columns, rows = _cells(width, chip_size, stride), _cells(height, chip_size, stride)
            first = chip
            while chip < starts[n + 1] and chip_scale[chip] == i:
                chip += 1
            wanted, banned = selected[:, i], orphan[:mine]  # both are free to be written over
            for j in range(count):
                wanted[j] = candidate[j, i]
                if wanted[j]:
                    _cells_around(clipped[j], s, columns, rows, width, height, chip_size, stride, rectangles[j])
                if j < mine:
                    banned[j] = exclude and wanted[j]
                    wanted[j] &= not exclude
                elif wanted[j]:
                    inside = (chip_origin[first:chip], chip_sizes[first:chip], sizes[n], scaled[n, i])
                    wanted[j] = not _shows(clipped[j], s, *inside)
            for k in range(chip_valid_offsets[first], chip_valid_offsets[chip]):
                wanted[chip_valid[k]] = False
            found, _ = _cover(
                count, rectangles, wanted, columns, rows, _mix(salt ^ np.uint64(scales + i)), keys, waiting, chosen,
                thresholds[i] + 1, banned,
            )  # fmt: skip
            owner[:mine, i] = -1
            for k in range(found):
                column, row = chosen[k] % columns, chosen[k] // columns
                pool[pooled, 0], pool[pooled, 3] = i, 0
                pool[pooled, 1] = _position(column, columns, width, chip_size, stride)
                pool[pooled, 2] = _position(row, rows, height, chip_size, stride)
                for j in range(count):
                    if wanted[j] and _in_cell(rectangles[j], column, row):
                        wanted[j] = False
                        pool[pooled, 3] += 1
                        if j < mine:
                            owner[j, i] = pooled
                pooled += 1
        taken = np.int64(0)
        for k in range(pooled):  # each of the pool's subsets of this size is equally likely, and keeps its order
            left = np.uint64(pooled - k)
            if _mix(salt ^ np.uint64(2 * scales + k)) % left >= np.uint64(min(pooled, most_chips) - taken):
                continue
            i = pool[k, 0]
            image[total], scale[total], counts[total] = first_image + n, i, pool[k, 3]
            origin[total, 0], origin[total, 1] = pool[k, 1], pool[k, 2]
            size[total, 0], size[total, 1] = min(scaled[n, i, 0], chip_size), min(scaled[n, i, 1], chip_size)
            for j in range(mine):
                if owner[j, i] == k:
                    valid[total_valid] = j
                    total_valid += 1
            taken += 1
            total += 1
            valid_offsets[total] = total_valid
    return _trimmed(total, total_valid, image, scale, origin, size, valid_offsets, valid), counts[:total].copy()
