"""Chip settings near the proposed ones, for a search by short trainings."""

from __future__ import annotations

from functools import partial

import numpy as np

from mmdetpre.chips.proposal import propose_settings
from mmdetpre.chips.settings import ChipSettings

PROPOSED = "proposed"
"""Name of the settings that the others are near to."""
_STEP = 1.6  # about as far apart as scales are at least
_MULTIPLE = 32


def nearby_settings(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    ignore: np.ndarray | None = None,
    chip_size: int = 512,
    count: int = 9,
) -> dict[str, ChipSettings]:
    """The proposed settings and others near them, those first that are the most different to train on.

    A coarser and a finer finest scale, one scale fewer, chips of one and a half and of three quarters of the size, the
    whole image in one chip, and scales that differ more. Those that come out alike are there once.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open.
        labels: (M,) class of each box; None: all are of one.
        ignore: (M,) bool, boxes to leave out.
        chip_size: Side of the proposed chips in pixels.
        count: The most settings, the proposed ones among them.

    Returns:
        Settings by name, the proposed ones first.

    Raises:
        ValueError: If there is no usable box or the arrays do not fit each other.

    Example:
        >>> list(nearby_settings([[640, 480]], [0, 1], [[0, 0, 90, 90]], chip_size=128, count=3))
        ['proposed', 'coarser', 'finer']
    """
    of_data = partial(propose_settings, sizes, box_offsets, boxes, labels=labels, ignore=ignore)
    proposed = partial(of_data, chip_size=chip_size)
    first = proposed()
    large, small = (_MULTIPLE * max(1, round(share * chip_size / _MULTIPLE)) for share in (1.5, 0.75))
    others = {
        "coarser": proposed(finer=1 / _STEP),
        "finer": proposed(finer=_STEP),
        "fewer_scales": proposed(scales_count=max(1, len(first.scales) - 1)),
        "larger_chips": of_data(chip_size=large),
        "smaller_chips": of_data(chip_size=small),
        "one_scale": proposed(scales_count=1),
        "much_finer": proposed(finer=_STEP**2),
        "much_coarser": proposed(finer=_STEP**-2),
    }
    found = {PROPOSED: first}
    for name, settings in others.items():
        if len(found) < count and settings not in found.values():
            found[name] = settings
    return found
