"""Batches whose chips share decoded images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from mmdetpre.chips.lanes import LaneLayout, LaneOrder, lane_order
from mmdetpre.datasets.chips.record import ChipRecord
from mmdetpre.datasets.chips.sampler import ChipMiningSampler
from mmdetpre.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ChipBatchSampler(Sampler[list[ChipRecord]]):
    """Deals the chips of a :class:`ChipMiningSampler` so that each image is decoded once an epoch.

    torch gives batch i of a rank to worker i modulo ``num_workers``. Here batch i is of lane i modulo ``lanes``, and
    all chips of an image are of one lane, spread over about ``window`` images (see
    :func:`mmdetpre.chips.lanes.lane_order`): with ``lanes`` a multiple of ``num_workers`` one worker loads them, and
    :class:`mmdetpre.datasets.LoadChip` keeps the decoded image until the last of them. The samples do not depend on
    the number of workers; with one that does not divide ``lanes`` they are the same, decoded more often. Where images
    are too few to fill the lanes, fewer are used.

    All ranks get equally many chips in each step. The last, smaller batches of an epoch are filled up with its first
    chips to equal numbers. An epoch that another layout, another number of ranks included, or an earlier version of
    mmdetpre began is finished in its own order. With ``shuffle=False`` of the sampler its order is kept.

    Args:
        sampler: The chip sampler: epoch, seed, ranks and position are its own.
        batch_size: Chips of a batch.
        lanes: Lanes of each rank.
        window: Images of a lane that are under way at a time. 128 images of COCO are 76 MB, of OpenImages 150 MB.
        drop_last: Leave the smaller batches at the end of an epoch out.

    Raises:
        TypeError: If the sampler is another one.
        ValueError: If a number is below 1.

    Example (config):
        ``batch_sampler=dict(type='mmdetpre.ChipBatchSampler', lanes=8)``
    """

    def __init__(
        self, sampler: ChipMiningSampler, batch_size: int, lanes: int = 8, window: int = 128, drop_last: bool = False
    ) -> None:
        if not isinstance(sampler, ChipMiningSampler):
            raise TypeError(
                f"ChipBatchSampler was given a {type(sampler).__name__}: set sampler=dict(type="
                "'mmdetpre.ChipMiningSampler') in train_dataloader, or leave batch_sampler out."
            )
        for name, value in (("batch_size", batch_size), ("lanes", lanes), ("window", window)):
            if value < 1:
                raise ValueError(f"{name}={value} of ChipBatchSampler: it must be at least 1.")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
        self.lanes, self.window = lanes, window
        self._resumed: tuple[int, LaneLayout | None] | None = None
        self._made: tuple[int, int, LaneLayout] | None = None
        self._order: LaneOrder
        self._finest: np.ndarray

    @property
    def layout(self) -> LaneLayout | None:
        """How the current epoch is dealt out; ``None``: in the order of the sampler."""
        if self._resumed is not None and self._resumed[0] == self.sampler.epoch and self.sampler.start:
            return self._resumed[1]
        if not self.sampler.shuffle:
            return None
        return LaneLayout(self.lanes, self.window, self.batch_size, self.sampler.world_size)

    def resume(self, layout: LaneLayout | None) -> None:
        """Tells how the epoch that the sampler resumes was dealt out."""
        self._resumed = (self.sampler.epoch, layout)

    def __iter__(self) -> Iterator[list[ChipRecord]]:
        layout = self.layout
        if layout is None:
            records = iter(self.sampler)
            yield from (list(itertools.islice(records, self.batch_size)) for _ in range(len(self)))
            return
        self._prepare(layout)
        sampler, total = self.sampler, len(self.sampler.table)
        step = self.batch_size * sampler.world_size
        for first in range(sampler.start, sampler.start + len(self) * step, step):
            size = min(self.batch_size, -(-(total - first) // sampler.world_size))
            begin = first + sampler.rank * size
            yield [self._record(position, total) for position in range(begin, begin + size)]

    def __len__(self) -> int:
        """Batches that this rank has yet to see in the current epoch."""
        left = len(self.sampler)
        return left // self.batch_size if self.drop_last else -(-left // self.batch_size)

    def _record(self, position: int, total: int) -> ChipRecord:
        """The chip at a position of the epoch; those past its end begin it again."""
        again, position = divmod(position, total)
        chip = int(self._order.chip[position])
        image = self.sampler.table.image[chip]
        keep = bool(self._order.keep[position]) and not again
        return self.sampler.record(chip, position)._replace(keep=keep, finest=int(self._finest[image]))

    def _prepare(self, layout: LaneLayout) -> None:
        sampler = self.sampler
        if self._made == (sampler.seed, sampler.epoch, layout):
            return
        table = sampler.table
        self._order = lane_order(table.image, layout, np.random.default_rng((sampler.seed, sampler.epoch, 2)))
        self._finest = np.full(int(table.image.max()) + 1, np.iinfo(np.int16).max, np.int16)
        np.minimum.at(self._finest, table.image, table.scale)
        self._made = (sampler.seed, sampler.epoch, layout)
