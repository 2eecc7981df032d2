"""Which detections of a scale are kept: those of the sizes that this scale is good at."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def in_size_range(boxes: Tensor, size_range: Sequence[float], factor: float = 1.0) -> Tensor:
    """Mask of the boxes whose area lies between the squares of two sizes.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, half-open, in pixels of the original image.
        size_range: ``(lo, hi)`` of ``sqrt(width * height)`` in original pixels: kept are areas above ``lo**2`` up to
            and with ``hi**2``. An end that is not positive is open.
        factor: Both ends are multiplied by it.

    Returns:
        (N,) bool.

    Source: SNIPER's test ranges, section 4.1 of "An Analysis of Pre-Training on Object Detection" (2019).

    Example:
        >>> import torch
        >>> in_size_range(torch.tensor([[0.0, 0, 75, 75], [0, 0, 76, 75]]), (75, -1)).tolist()
        [False, True]
    """
    low, high = size_range
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    keep = area == area
    if low > 0:
        keep &= area > (low * factor) ** 2
    if high > 0:
        keep &= area <= (high * factor) ** 2
    return keep


def checked_ranges(ranges: Sequence[Sequence[float]] | None) -> tuple[tuple[float, float], ...] | None:
    """Size ranges as pairs of numbers; None stays None.

    Raises:
        ValueError: If they are not pairs, or one of them is empty.
    """
    if ranges is None:
        return None
    pairs = tuple(tuple(pair) if isinstance(pair, Sequence) else (pair,) for pair in ranges)
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"test_ranges is {ranges!r}: give one pair (lo, hi) per scale, in the order of the scales.")
    for low, high in pairs:
        if 0 < high <= low:
            raise ValueError(f"Test range {(low, high)} is empty: lo must be below hi, or hi -1 for an open end.")
    return pairs  # type: ignore[return-value]
