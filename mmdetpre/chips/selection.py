"""Selection: which boxes drive chips at which scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.kernel import select_range
from mmdetpre.chips.scale import scale_factors
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.chips.valid_range import valid_ranges

_IMAGES_AT_ONCE = 65536


class Selection(NamedTuple):
    """Selected boxes of a data set with M boxes.

    Attributes:
        selected: (M, S) bool; the box drives chips at the scale by its valid range, without the rescue of orphans.
        orphan: (M,) bool; some finer scale's valid range holds the box, its longer side does not fit a chip there, and
            no other scale selects it.
    """

    selected: np.ndarray
    orphan: np.ndarray


def select_boxes(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    settings: ChipSettings,
    *,
    ignore: np.ndarray | None = None,
    stride: int | None = None,
) -> Selection:
    """Select boxes by valid range and by side.

    With ``area = sqrt(width * height)``, ``(lo, hi)`` the valid range of a scale in original pixels and
    ``reach = (chip_size - stride - 1) / s``, a box drives chips

    * at the coarsest scale if ``area >= lo`` (hi is not considered: the biggest objects belong here);
    * at any other scale if ``area < hi``, its longer side is below ``reach``, its shorter side is at least 2 pixels
      and, except at the finest scale, ``area >= lo``.

    Boxes are clipped to their image first; those with a side below 1 pixel and ignored ones are selected nowhere.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open.
        settings: Chip settings with S scales.
        ignore: (M,) bool, boxes to leave out.
        stride: Candidate stride in pixels; the largest of ``settings.strides`` if not given.

    Raises:
        ValueError: If the arrays contradict each other or hold non-finite boxes.

    Source: section 3 of "SNIPER: Efficient Multi-Scale Training" (2018), section 4.1 of "An Analysis of Pre-Training on
    Object Detection" (2019).

    Example:
        >>> settings = ChipSettings([(1400, 2000), (-1, 512)], [(-1, 80), (64, -1)])
        >>> select_boxes([[640, 480]], [0, 1], [[10, 10, 80, 80]], settings).selected.tolist()
        [[True, True]]
    """
    annotations = check_annotations(sizes, box_offsets, boxes, ignore)
    stride = settings.strides[1] if stride is None else stride
    parts = []
    for start in range(0, annotations.image_count, _IMAGES_AT_ONCE):
        part = annotations.images(start, min(start + _IMAGES_AT_ONCE, annotations.image_count))
        factors = scale_factors(part.sizes, settings.scales)
        ranges = valid_ranges(part.sizes, settings)
        parts.append(select_range(*part, factors, ranges, settings.chip_size, stride))
    if not parts:
        return Selection(np.zeros((0, len(settings.scales)), dtype=bool), np.zeros(0, dtype=bool))
    return Selection(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
