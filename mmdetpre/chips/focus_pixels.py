"""FocusPixels: the cells of a feature map that show an object which a finer scale should look at again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SIZES = (5.0, 64.0, 90.0)
"""Of AutoFocus, in pixels of chips of 512: too small to be seen, no longer small, large."""


def focus_labels(
    boxes: Tensor,
    map_size: tuple[int, int],
    stride: int = 16,
    sizes: Sequence[float] = SIZES,
    unsure: Tensor | None = None,
) -> Tensor:
    """Labels of the cells of a batch of maps: 1 focus, 0 background, -1 not labeled.

    A box covers the cells that it shares a part of its area with, ``floor(x1 / stride)`` to ``ceil(x2 / stride)``,
    half-open, and rows likewise. Its size is the square root of its area. Boxes between the first two ``sizes``, both
    exclusive, are focus; those that are smaller, and those below the third size, leave their cells unlabeled; larger
    ones do nothing. Where boxes overlap, 1 wins over -1, and -1 over 0.

    Args:
        boxes: (B, G, 4) x1, y1, x2, y2, half-open, in pixels of the input, cut to it. Rows of zeros are padding.
        map_size: Height and width of the maps in cells.
        stride: Pixels of the input per cell.
        sizes: Three sizes in pixels of the input, ascending.
        unsure: (B, G) bool, boxes whose cells stay unlabeled whatever their size, such as crowds. None: none.

    Returns:
        (B, height, width) int64, on the device of the boxes; the host does not wait for it.

    Raises:
        ValueError: If ``sizes`` are not three ascending numbers.

    Source: M. Najibi et al., "AutoFocus: Efficient Multi-Scale Inference" (2019). The original also marks the cell
    right of and below a box, and lets the last box win.

    Example:
        >>> labels = focus_labels(torch.tensor([[[10.0, 10, 50, 50]]]), (32, 32))
        >>> labels.sum().item(), labels[0, :4, :4].min().item()
        (16, 1)
    """
    low, high, end = checked_sizes(sizes)
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1).sqrt()
    focus = (size > low) & (size < high)
    unlabeled = (size > 0) & (size < end) & ~focus
    if unsure is not None:
        focus, unlabeled = focus & ~unsure, unlabeled | unsure
    covered = []
    for axis, count in enumerate((map_size[1], map_size[0])):
        begin = torch.arange(count, device=boxes.device) * stride
        first, last = boxes[..., axis, None], boxes[..., axis + 2, None]
        covered.append((begin < last) & (begin + stride > first))
    columns, rows = covered  # (B, G, w), (B, G, h)
    chosen = [torch.einsum("bgh,bgw->bhw", (rows & kind[..., None]).float(), columns.float()) > 0
              for kind in (focus, unlabeled)]  # fmt: skip
    return chosen[0].long() - (chosen[1] & ~chosen[0]).long()


def checked_sizes(sizes: Sequence[float]) -> tuple[float, float, float]:
    """Three ascending sizes as numbers.

    Raises:
        ValueError: If they are not three ascending numbers.
    """
    values = tuple(float(size) for size in sizes)
    if len(values) != 3 or not 0 <= values[0] < values[1] <= values[2]:
        raise ValueError(
            f"sizes is {sizes!r}: give three ascending numbers of pixels, such as (5, 64, 90) for chips of 512."
        )
    return values
