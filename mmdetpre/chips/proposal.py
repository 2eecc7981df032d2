"""Proposed chip settings: scales and valid ranges that fit the object sizes of a data set."""

from __future__ import annotations

import math

import numpy as np

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.box_size import box_sizes
from mmdetpre.chips.class_sizes import LARGEST_ENLARGEMENT, SMALLEST_LEARNED
from mmdetpre.chips.settings import ChipSettings

# In network pixels, those of the scaled image. With 512-pixel chips and COCO they give about the ranges of the paper.
_CLASS_MEDIAN = 2 * SMALLEST_LEARNED  # of the class with the smallest objects, at the finest scale
_LARGEST_MEDIAN = 1 / 4  # of a chip, the same where chips are small
_SMALL_OBJECT = 1 / 12  # of a chip: the small objects become this big at the finest scale
_SMALL_QUANTILE = 0.1
_BIG_OBJECT = 0.48  # of a chip, a finer scale's upper end: leaves room for sides twice as long as sqrt(area)
_SMALLEST_STEP = 1.5  # closer scales would show nearly the same
_LARGEST_STEP = 2.0  # 2.35 left a class that one scale sees whole 8 to 13 points behind, benchmarks/proposed_chips.py
_OVERLAP_COARSEST = 1.25  # 150 / 120 in the paper
_OVERLAP = 2.5  # 80 / 32 in the paper
_MULTIPLE = 32


def propose_settings(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    ignore: np.ndarray | None = None,
    chip_size: int = 512,
    scales_count: int = 4,
    finer: float = 1.0,
) -> ChipSettings:
    """Suggest chip settings from the boxes of a data set.

    All scales fix the longer image side, so that an object's size in network pixels, those of the scaled image,
    follows from its share of the image. The coarsest scale shows the whole image in one chip. The finest gives half of
    the objects of every class at least 32 network pixels, and 9 of 10 objects a twelfth of a chip, without enlarging
    typical images more than 3 times; the scales between grow geometrically, twice at most. A scale's upper end is
    the object that takes about half a chip's side; its coarser neighbor starts below it, so that the ranges overlap
    and every box is learned somewhere. Scales that no box needs are left out.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open.
        labels: (M,) class of each box; None: all are of one.
        ignore: (M,) bool, boxes to leave out.
        chip_size: Side of a chip in pixels; it is less where images enlarged 3 times are smaller.
        scales_count: The most scales to use; fewer come back where objects are so large that scales hardly differ.
        finer: Times that the finest scale is larger than by this rule, within the bounds above and below.

    Returns:
        Settings whose ``range_reference`` is the median of the longer image side.

    Raises:
        ValueError: If there is no usable box or the arrays do not fit each other.

    Source: our rule; the constants follow the settings of section 4.1 of "An Analysis of Pre-Training on Object
    Detection".

    Example:
        >>> propose_settings([[640, 480]] * 3, [0, 1, 2, 3], [[0, 0, 20, 20], [0, 0, 90, 90], [0, 0, 400, 400]]).scales
        ((-1, 800), (-1, 512))
    """
    if scales_count < 1:
        raise ValueError(f"scales_count is {scales_count}: ask for at least one scale.")
    annotations = check_annotations(sizes, box_offsets, boxes, ignore)
    area = box_sizes(annotations)
    usable = area > 0
    if not usable.any():
        raise ValueError(
            f"None of the {len(area)} boxes is usable (ignored, or a side below 1 pixel): settings cannot be proposed."
            " Check the class list of the data set."
        )
    longer = np.asarray(annotations.sizes).max(axis=1)
    image_of_box = np.repeat(np.arange(len(longer)), np.diff(annotations.box_offsets))[usable]
    reference = float(np.median(longer[image_of_box]))
    share = area[usable] / longer[image_of_box]
    class_of_box = np.zeros(len(share), int) if labels is None else np.asarray(labels)[usable]

    largest = LARGEST_ENLARGEMENT * reference
    chip_size = min(chip_size, _MULTIPLE * math.ceil(largest / _MULTIPLE))
    median = min(float(np.median(share[class_of_box == label])) for label in np.unique(class_of_box))
    small = float(np.quantile(share, _SMALL_QUANTILE))
    needed = max(min(_CLASS_MEDIAN, _LARGEST_MEDIAN * chip_size) / median, _SMALL_OBJECT * chip_size / small, chip_size)
    sides = _needed(_longer_sides(min(finer * needed, largest), chip_size, scales_count), share, chip_size)
    ranges = np.array(_ranges(sides, chip_size))
    return ChipSettings(
        scales=[(-1, side) for side in sides],
        valid_ranges=np.where(ranges < 0, -1.0, np.round(ranges * reference, 1)).tolist(),
        range_reference=reference,
        chip_size=chip_size,
        strides=(max(1, round(56 * chip_size / 512)), max(1, round(59 * chip_size / 512))),
    )


def _longer_sides(finest: float, chip_size: int, scales_count: int) -> list[int]:
    """Longer image sides, finest first: geometric from ``finest`` down to ``chip_size``, steps not too small."""
    span = finest / chip_size
    steps = 0 if span < _SMALLEST_STEP else min(scales_count - 1, math.ceil(math.log(span, _LARGEST_STEP) - 1e-9))
    sides = [chip_size * span ** ((steps - i) / steps) for i in range(steps)]
    return [_MULTIPLE * round(side / _MULTIPLE) for side in sides] + [chip_size]


def _ranges(sides: list[int], chip_size: int) -> list[tuple[float, float]]:
    """Valid ranges of scales as shares of the longer image side."""
    ranges: list[tuple[float, float]] = []
    lower = -1.0
    for i, (side, coarser) in enumerate(zip(sides, sides[1:], strict=False)):
        upper = max(_BIG_OBJECT * chip_size / side, 2.0 / side)
        ranges.append((lower, upper))
        wide = upper / (_OVERLAP_COARSEST if i == len(sides) - 2 else _OVERLAP)
        lower = min(max(wide, SMALLEST_LEARNED / coarser), upper / _OVERLAP_COARSEST)
    return [*ranges, (lower, -1.0)]


def _needed(sides: list[int], share: np.ndarray, chip_size: int) -> list[int]:
    """The scales without those at which no box has its finest; the coarsest stays.

    Args:
        sides: Longer image sides, finest first.
        share: (M,) sizes of boxes relative to the longer image side.
        chip_size: Side of a chip in pixels.
    """
    while True:
        upper = [hi for _, hi in _ranges(sides, chip_size)[:-1]]
        used = {*np.searchsorted(upper, share, side="right").tolist(), len(sides) - 1}
        if len(used) == len(sides):
            return sides
        sides = [side for i, side in enumerate(sides) if i in used]
