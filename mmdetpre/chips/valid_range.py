"""Valid ranges: the object sizes that are learned at each scale."""

from __future__ import annotations

import numpy as np

from mmdetpre.chips.settings import ChipSettings


def valid_ranges(sizes: np.ndarray, settings: ChipSettings) -> np.ndarray:
    """Valid ranges of every image and scale.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        settings: Chip settings with S scales. With ``range_reference`` their ranges are multiplied by
            ``max(width, height) / range_reference``.

    Returns:
        (N, S, 2) float64 pairs ``(lo, hi)`` in original pixels of ``sqrt(width * height)``; -1 is an open end.

    Example:
        >>> settings = ChipSettings([(768, 1024), (480, 512)], [(-1, 300), (240, -1)], range_reference=1024)
        >>> valid_ranges([[512, 384]], settings).tolist()
        [[[-1.0, 150.0], [120.0, -1.0]]]
    """
    sizes = np.asarray(sizes).reshape(-1, 2)
    ranges = np.asarray(settings.valid_ranges, dtype=np.float64)
    factor = np.ones(len(sizes))
    if settings.range_reference is not None:
        factor = sizes.max(axis=1) / settings.range_reference
    return np.where(ranges < 0, -1.0, ranges * factor[:, None, None])


def chip_valid_range(lo: float, hi: float, s: float, chip_size: int) -> tuple[float, float]:
    """Valid range in chip pixels, as the detector filters its proposals.

    Args:
        lo: Lower end in original pixels, negative when open.
        hi: Upper end in original pixels, negative when open.
        s: Scale factor of the chip.
        chip_size: Side of a chip in pixels, the upper end of an open range.

    Example:
        >>> chip_valid_range(120, -1, 0.8, 512)
        (96.0, 512.0)
    """
    return (0.0 if lo < 0 else float(lo * s), float(chip_size if hi < 0 else hi * s))
