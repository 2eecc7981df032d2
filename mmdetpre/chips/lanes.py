"""An order of an epoch's chips in which those of one image meet the same worker, soon after each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LaneLayout(NamedTuple):
    """How an epoch is dealt out.

    Attributes:
        lanes: Lanes of each rank.
        window: Images of a lane that are under way at a time, at most.
        batch_size: Chips of a batch.
        ranks: Number of ranks.
    """

    lanes: int
    window: int
    batch_size: int
    ranks: int

    def total_lanes(self, images: int) -> int:
        """Lanes of all ranks together that ``images`` images fill; one for all if they fill none for each rank.

        Those of a rank are a divisor of ``lanes``, so that lanes and workers still meet.

        Example:
            >>> [LaneLayout(8, 128, 16, 2).total_lanes(images) for images in (100_000, 1_500, 200)]
            [16, 8, 1]
        """
        fit = (n for n in range(self.lanes, 0, -1) if not self.lanes % n and n * self.ranks * self.window <= images)
        return next(fit, 0) * self.ranks or 1


class LaneOrder(NamedTuple):
    """The n chips of an epoch, in the order of the batches of all ranks.

    Attributes:
        chip: (n,) int64 rows of the table.
        keep: (n,) bool, whether a later chip of the same lane is of the same image.
    """

    chip: np.ndarray
    keep: np.ndarray


def batch_sizes(chips: int, batch_size: int, ranks: int) -> np.ndarray:
    """Chips of each batch, rank after rank in turn: full batches, then a smaller one for each rank.

    Args:
        chips: Chips of the epoch, of all ranks.
        batch_size: Chips of a full batch.
        ranks: Number of ranks.

    Example:
        >>> batch_sizes(19, 4, 2).tolist()
        [4, 4, 4, 4, 2, 1]
    """
    steps, rest = divmod(chips, batch_size * ranks)
    share = -(-rest // ranks)
    last = np.clip(rest - share * np.arange(ranks if rest else 0), 0, share)
    return np.concatenate([np.full(steps * ranks, batch_size), last]).astype(np.int64)


def lane_order(image: np.ndarray, layout: LaneLayout, rng: np.random.Generator) -> LaneOrder:
    """Order the chips of an epoch, so that few images are under way in each lane and they mix well in a batch.

    Batch g of all ranks (rank after rank in turn) is of lane g modulo the number of lanes. The images are shuffled and
    dealt to the lanes, as many chips to each as its batches hold; at most one image is shared by two lanes. Image
    number p of a lane shows its c chips, in random order, at the times ``p + window * (j + u) / c`` for j = 0 .. c - 1,
    u uniform in [0, 1). So at any time at most ``window`` images of a lane are under way.

    Args:
        image: (n,) image of each chip, n at least 1.
        layout: Lanes, window, batch size and ranks.
        rng: Gives the order.

    Returns:
        The order: each chip once.

    Example:
        >>> order = lane_order(np.repeat(np.arange(40), 3), LaneLayout(2, 8, 4, 1), np.random.default_rng(0))
        >>> sorted(order.chip.tolist()) == list(range(120)), int(order.keep.sum())
        (True, 80)
    """
    present = np.flatnonzero(np.bincount(image))
    number = np.empty(present[-1] + 1, np.int64)
    number[present] = rng.permutation(len(present))
    number = number[image]  # of a chip's image among the shuffled ones
    dealt = np.argsort(number + rng.random(len(image)))
    lanes = layout.total_lanes(len(present))
    sizes = batch_sizes(len(image), layout.batch_size, layout.ranks)
    lane_of_batch = np.arange(len(sizes)) % lanes
    lane = np.repeat(np.arange(lanes), np.bincount(lane_of_batch, sizes, lanes).astype(np.int64))

    first = np.flatnonzero(np.diff(number[dealt], prepend=-1) | np.diff(lane, prepend=0))  # of an image in its lane
    count = np.diff(first, append=len(dealt))
    place = np.repeat(np.arange(len(first)), count)
    nth = np.arange(len(dealt)) - first[place]
    time = place + layout.window * (nth + rng.random(len(dealt))) / count[place]
    order = np.lexsort((time, lane))
    last = np.zeros(len(first), np.int64)
    np.maximum.at(last, place[order], np.arange(len(order)))
    keep = np.arange(len(order)) < last[place[order]]

    by_lane = np.argsort(lane_of_batch, kind="stable")
    begins = np.empty_like(sizes)  # of each batch, among the chips lane after lane
    begins[by_lane] = np.cumsum(sizes[by_lane]) - sizes[by_lane]
    at = np.repeat(begins - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(order))
    return LaneOrder(dealt[order][at], keep[at])
