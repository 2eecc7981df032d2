"""Chip mining: from the boxes of images to the chips that show every one of them at the right size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.kernel import mine_range
from mmdetpre.chips.scale import scale_factors, scaled_sizes
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.chips.valid_range import valid_ranges
from mmdetpre.utils.progress_bar import progress_bar

__all__ = ["ChipTable", "available_cores", "mine_chips", "mine_image"]

Mined = TypeVar("Mined")

# A range is the unit of work of a thread; both bounds keep its scratch memory at a few tens of megabytes.
_IMAGES_PER_RANGE = 8192
_BOXES_PER_RANGE = 131072


def mine_chips(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    settings: ChipSettings,
    *,
    ignore: np.ndarray | None = None,
    seed: int = 0,
    epoch: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> ChipTable:
    """Mine the chips of a whole data set for one epoch.

    Every scale is cut into candidate chips on a grid of the epoch's stride. Chips are taken greedily, each time the one
    that contains the most boxes not yet covered, until every box selected at that scale (see
    :func:`mmdetpre.chips.selection.select_boxes`) lies inside a chip. Equally good candidates are taken in an order
    shuffled by (seed, epoch, image, scale). Then every box below the upper end of a scale's range (at the coarsest
    scale: above the lower end) becomes valid in the one chip of the scale that shows most of it.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open; clipped to the image, and left out if a side is below 1 pixel.
        settings: Scales, valid ranges, chip size and strides.
        ignore: (M,) bool, boxes that neither drive chips nor become valid, such as group-of boxes.
        seed: Non-negative seed.
        epoch: Non-negative epoch.
        threads: Number of threads, all available cores if not given. The result does not depend on it.
        progress: Show a progress bar.

    Returns:
        The chips, by image, finest scale first. The arrays passed in may be memory-mapped: they are read in ranges.

    Raises:
        ValueError: If an image has no pixels, a box is not finite, or the arrays do not fit each other.

    Source: section 3 of "SNIPER: Efficient Multi-Scale Training" (2018), section 4.1 of "An Analysis of Pre-Training on
    Object Detection" (2019).

    Example:
        >>> settings = ChipSettings([(1400, 2000), (-1, 512)], [(-1, 80), (64, -1)])
        >>> table = mine_chips([[640, 480]], [0, 2], [[10, 10, 50, 40], [50, 60, 450, 420]], settings)
        >>> table.scale.tolist(), table.size.tolist(), [table.valid_of(i).tolist() for i in range(len(table))]
        ([0, 1], [[512, 512], [512, 384]], [[0], [1]])
    """
    annotations = check_annotations(sizes, box_offsets, boxes, ignore)
    stride = settings.stride(seed, epoch)
    keys = (np.uint64(seed), np.uint64(epoch))

    def mine(images: tuple[int, int]) -> ChipTable:
        part = annotations.images(*images)
        factors = scale_factors(part.sizes, settings.scales)
        scaled = scaled_sizes(part.sizes, factors)
        ranges = valid_ranges(part.sizes, settings)
        size = (settings.chip_size, stride, settings.rescue_orphans, settings.cover == "fewest")
        rest = (part.offsets, part.boxes, part.ignore, factors, ranges, *size, *keys, images[0])
        return ChipTable(*mine_range(part.sizes, scaled, *rest))

    work = image_ranges(annotations.box_offsets)
    tables = mine_ranges(mine, work, threads=threads, progress=progress, desc="mining chips")
    return ChipTable.concatenate(tables)


def mine_image(
    size: tuple[int, int],
    boxes: np.ndarray,
    settings: ChipSettings,
    *,
    ignore: np.ndarray | None = None,
    seed: int = 0,
    epoch: int = 0,
    image: int = 0,
) -> ChipTable:
    """Mine the chips of one image; the same chips that :func:`mine_chips` gives image number ``image``.

    Args:
        size: Image width and height in pixels.
        boxes: (n, 4) xyxy in original pixels, half-open.
        settings: Scales, valid ranges, chip size and strides.
        ignore: (n,) bool, boxes that neither drive chips nor become valid.
        seed: Non-negative seed.
        epoch: Non-negative epoch.
        image: Number of the image, written to the table and part of the shuffle's seed.

    Raises:
        ValueError: If the image has no pixels or a box is not finite.

    Example:
        >>> settings = ChipSettings([(-1, 512)], [(-1, -1)])
        >>> mine_image((1024, 768), [[10, 10, 200, 300]], settings).origin.tolist()
        [[0, 0]]
    """
    width, height = size
    if width <= 0 or height <= 0:
        raise ValueError(f"Image {image} has width and height {(width, height)}: both must be at least 1 pixel.")
    boxes = np.array(boxes, dtype=np.float32, order="C")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        if boxes.size:
            raise ValueError(f"boxes has shape {boxes.shape}: expected (n, 4), x1, y1, x2, y2 of every box.")
        boxes = boxes.reshape(0, 4)
    if not np.isfinite(boxes).all():
        box = int(np.flatnonzero(~np.isfinite(boxes).all(axis=1))[0])
        raise ValueError(f"Box {box} of image {image} is {boxes[box].tolist()}: coordinates must be finite pixels.")
    ignored = np.zeros(len(boxes), dtype=np.bool_)
    if ignore is not None:
        if np.shape(ignore) != (len(boxes),):
            raise ValueError(f"ignore has shape {np.shape(ignore)}: expected ({len(boxes)},), one flag per box.")
        ignored[:] = ignore
    sizes, scaled, factors, ranges = _geometry(width, height, settings)
    columns = mine_range(
        sizes,
        scaled,
        np.array((0, len(boxes)), dtype=np.int64),
        boxes,
        ignored,
        factors,
        ranges,
        settings.chip_size,
        _stride(settings, seed, epoch),
        settings.rescue_orphans,
        settings.cover == "fewest",
        np.uint64(seed),
        np.uint64(epoch),
        int(image),
    )
    return ChipTable(*columns)


@lru_cache(maxsize=16)
def _stride(settings: ChipSettings, seed: int, epoch: int) -> int:
    return settings.stride(seed, epoch)


@lru_cache(maxsize=1024)
def _geometry(width: int, height: int, settings: ChipSettings) -> tuple[np.ndarray, ...]:
    sizes = np.array([(width, height)], dtype=np.int64)
    factors = scale_factors(sizes, settings.scales)
    return sizes, scaled_sizes(sizes, factors), factors, valid_ranges(sizes, settings)


def mine_ranges(
    mine: Callable[[tuple[int, int]], Mined],
    ranges: Sequence[tuple[int, int]],
    *,
    threads: int | None,
    progress: bool,
    desc: str,
) -> list[Mined]:
    """Results of ``mine`` for each range of images, in order, mined by ``threads`` at once (all cores if ``None``).

    ``progress`` shows a bar titled ``desc``.

    Args:
        mine: Mines the images ``start`` to ``stop - 1``.
        ranges: ``(start, stop)`` of each range.
        threads: Number of threads; None: one per core.
        progress: Show a progress bar.
        desc: Title of the bar.
    """
    with (
        ThreadPoolExecutor(threads or available_cores()) as pool,
        progress_bar(total=ranges[-1][1], desc=desc, unit="image", disable=not progress) as bar,
    ):
        results = []
        for images, result in zip(ranges, pool.map(mine, ranges), strict=True):
            results.append(result)
            bar.update(images[1] - images[0])
    return results


def image_ranges(box_offsets: np.ndarray) -> list[tuple[int, int]]:
    """Ranges ``(start, stop)`` of images that a thread mines at once; one empty range if there is no image."""
    ranges, start, images = [], 0, len(box_offsets) - 1
    while start < images:
        by_boxes = int(np.searchsorted(box_offsets, box_offsets[start] + _BOXES_PER_RANGE, side="right")) - 1
        stop = min(images, start + _IMAGES_PER_RANGE, max(by_boxes, start + 1))
        ranges.append((start, stop))
        start = stop
    return ranges or [(0, 0)]


def available_cores() -> int:
    """Number of cores that this process may use, where the system tells; otherwise all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
