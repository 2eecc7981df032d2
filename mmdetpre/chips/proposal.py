"""Proposed chip settings: scales and valid ranges that fit the box sizes of a data set."""

from __future__ import annotations

import numpy as np

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.box_size import box_sizes
from mmdetpre.chips.settings import ChipSettings

# All relative to the chip size; with 512-pixel chips and COCO they give about the ranges of the paper.
_SMALL_OBJECT = 1 / 12  # the small objects become this big at the finest scale
_BIG_OBJECT = 0.48  # a finer scale's upper end: leaves room for sides twice as long as sqrt(area)
_SMALL_QUANTILE = 0.1
_LARGEST_ENLARGEMENT = 3.0  # beyond it, resizing only blurs
_SMALLEST_STEP = 1.5  # closer scales would show nearly the same
_OVERLAP_COARSEST = 1.25  # 150 / 120 in the paper
_OVERLAP = 2.5  # 80 / 32 in the paper
_MULTIPLE = 32


def propose_settings(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    *,
    ignore: np.ndarray | None = None,
    chip_size: int = 512,
    scales_count: int = 3,
) -> ChipSettings:
    """Suggest chip settings from the boxes of a data set.

    All scales fix the longer image side, so that an object's size in a chip follows from its share of the image.
    The coarsest scale shows the whole image in one chip. The finest makes the small objects (the 10 % quantile of
    ``sqrt(area)``) a twelfth of a chip, without enlarging typical images more than 3 times; the scales between grow
    geometrically. A scale's upper end is the object that takes about half a chip's side; its coarser neighbor starts
    below it, so that the ranges overlap and every box is learned somewhere.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open.
        ignore: (M,) bool, boxes to leave out.
        chip_size: Side of a chip in pixels.
        scales_count: The most scales to use; fewer come back where objects are so large that scales hardly differ.

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
    small = float(np.quantile(area[usable] / longer[image_of_box], _SMALL_QUANTILE))

    finest = min(_SMALL_OBJECT * chip_size / small, _LARGEST_ENLARGEMENT * reference)
    sides = _longer_sides(finest, chip_size, scales_count)
    ranges: list[tuple[float, float]] = []
    lower = -1.0
    for i, side in enumerate(sides[:-1]):
        upper = max(_BIG_OBJECT * chip_size * reference / side, 2.0)
        ranges.append((lower, round(upper, 1)))
        lower = round(upper / (_OVERLAP_COARSEST if i == len(sides) - 2 else _OVERLAP), 1)
    ranges.append((lower, -1.0))
    return ChipSettings(
        scales=[(-1, side) for side in sides],
        valid_ranges=ranges,
        range_reference=reference,
        chip_size=chip_size,
        strides=(max(1, round(56 * chip_size / 512)), max(1, round(59 * chip_size / 512))),
    )


def _longer_sides(finest: float, chip_size: int, scales_count: int) -> list[int]:
    """Longer image sides, finest first: geometric from ``finest`` down to ``chip_size``, steps not too small."""
    span = finest / chip_size
    steps = 0 if span < _SMALLEST_STEP else min(scales_count - 1, int(np.log(span) / np.log(_SMALLEST_STEP)))
    sides = [chip_size * span ** ((steps - i) / steps) for i in range(steps)]
    return [_MULTIPLE * round(side / _MULTIPLE) for side in sides] + [chip_size]
