"""The sampler that mines the chips of every epoch."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler

from mmdetpre.chips.mining import ChipTable, available_cores, mine_chips
from mmdetpre.chips.negative_mining import NegativeChips
from mmdetpre.datasets.chips.dataset import ChipDataset
from mmdetpre.datasets.chips.record import ChipRecord
from mmdetpre.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ChipMiningSampler(Sampler[ChipRecord]):
    """Mines an epoch's chips, shuffles them over all images and scales, and deals them to the ranks.

    All of an epoch follows from (seed, epoch): the stride, the chips, their order and the random numbers of the data
    augmentation of each chip. Every rank mines the same table, so nothing is communicated; rank ``r`` of ``n`` takes
    the positions r, r + n, r + 2n, ... All ranks get the same number of chips: the first ones are repeated to fill up,
    to a multiple of the ranks, not of the batch. Whether the last, smaller batch of an epoch is trained on is for
    ``drop_last`` of the data loader to decide.

    The ranks of a machine share its cores when they mine: their number is ``LOCAL_WORLD_SIZE``, which torchrun sets.
    Without it a rank takes all the cores that it may use, as launchers that bind ranks to cores expect.

    :class:`ChipBatchSampler` deals the same chips in an order that decodes each image once.

    A data set with ``proposals`` adds its negative chips to each epoch; behind all positive ones if not shuffled.

    Args:
        dataset: The chip data set; its annotations and chip settings are used.
        seed: The same on all ranks; drawn at random and synchronized when ``None``.
        shuffle: Whether to shuffle the chips; otherwise they come image by image, finest scale first.

    Source: section 3.1 of the paper (SNIPER); the stride changes from epoch to epoch.

    Example (config):
        ``sampler=dict(type='mmdetpre.ChipMiningSampler')``
    """

    def __init__(self, dataset: ChipDataset, seed: int | None = None, shuffle: bool = True) -> None:
        if not isinstance(dataset, ChipDataset):
            raise TypeError(
                f"ChipMiningSampler was given a {type(dataset).__name__}: set"
                " train_dataloader.dataset=dict(type='mmdetpre.ChipDataset', dataset=..., chips=...)."
            )
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.epoch = 0
        self._mined: tuple[int, int] | None = None
        self._told = False
        self._table: ChipTable
        self._order: np.ndarray
        self._seeds: np.ndarray
        self.start = 0
        """Chips of the epoch (of all ranks) that an earlier run has seen; 0 but in a resumed epoch."""
        self._resume: tuple[int, int] | None = None

    @property
    def table(self) -> ChipTable:
        """The chips of the current epoch, of all ranks, in mining order."""
        self._mine()
        return self._table

    def set_epoch(self, epoch: int) -> None:
        """Moves to an epoch (0-based); its chips are mined when they are first asked for."""
        self.epoch = epoch
        self.start = self._resume[1] if self._resume is not None and self._resume[0] == epoch else 0

    def resume(self, epoch: int, chips_seen: int, seed: int) -> None:
        """Continues an interrupted epoch behind its first ``chips_seen`` chips (of all ranks).

        The epoch is mined again, which takes seconds; no image is loaded for the chips already seen. The number of
        ranks may differ from the interrupted run's.

        Args:
            epoch: The interrupted epoch, from 0.
            chips_seen: Number of chips of that epoch that were already seen, of all ranks together.
            seed: Seed of the interrupted run.
        """
        self.seed = seed
        self._resume = (epoch, chips_seen)
        self.set_epoch(epoch)

    def __iter__(self) -> Iterator[ChipRecord]:
        self._mine()
        for position in self._positions()[self.rank :: self.world_size]:
            place = position % len(self._table)
            yield self.record(int(self._order[place]), place)

    def record(self, chip: int, position: int) -> ChipRecord:
        """The record of a chip of the table, with the random seed of a position in the epoch."""
        table = self.table
        (x, y), (width, height) = table.origin[chip].tolist(), table.size[chip].tolist()
        return ChipRecord(
            image=int(table.image[chip]),
            scale=int(table.scale[chip]),
            x=x,
            y=y,
            width=width,
            height=height,
            valid=np.array(table.valid_of(chip)),
            seed=int(self._seeds[position]),
        )

    def __len__(self) -> int:
        """Chips that this rank has yet to see in the current epoch."""
        self._mine()
        return len(self._positions()) // self.world_size

    def _tell_negatives(self) -> None:
        """Once a run: which negative chips it has, or that the paper has some where this run has none."""
        if self._told:
            return
        self._told = True
        if (proposals := self.dataset.proposals) is not None:
            made = ", ".join(f"{key} {str(value)[:40]}" for key, value in proposals.origin.items())
            text = f"Negative chips are mined with the {len(proposals.boxes)} proposals in {proposals.directory}"
            print_log(f"{text} ({made})." if made else f"{text}.", logger="current")
        elif self.dataset.paper_has_negatives:
            print_log(
                "Training without negative chips. The paper's detectors on COCO and VOC are trained with them: make"
                " proposals of these images (configs/det/rpn_voc.py and rpn_coco.py say how), then set"
                " train_dataloader.dataset.proposals=FOLDER.",
                logger="current",
            )

    def _describe(self, added: NegativeChips) -> str:
        per_scale = np.bincount(added.chips.scale, minlength=len(self.dataset.chip_settings.scales)).tolist()
        images = len(np.unique(added.chips.image))
        return f" and {len(added.chips)} negative ones from {images} images, by scale {per_scale},"

    def _positions(self) -> range:
        """Positions of all ranks that are left, a multiple of the ranks; those past the end begin the epoch again."""
        left = max(len(self._table) - self.start, 0)
        return range(self.start, self.start + -(-left // self.world_size) * self.world_size)

    def _mine(self) -> None:
        if self._mined == (self.seed, self.epoch):
            return
        self._tell_negatives()
        began = time.perf_counter()
        packed, settings = self.dataset.packed, self.dataset.chip_settings
        threads = max(1, available_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        table = mine_chips(
            packed.sizes,
            packed.box_offsets,
            packed.boxes,
            settings,
            ignore=packed.ignore,
            seed=self.seed,
            epoch=self.epoch,
            threads=threads,
        )
        if not len(table):
            raise ValueError(
                f"No chip was mined from {len(packed)} images with {len(packed.boxes)} boxes: no box is in the valid"
                f" range of any scale (valid_ranges={settings.valid_ranges}). tools/analysis_tools/chip_report.py"
                " CONFIG --propose suggests ranges for your data."
            )
        per_scale = np.bincount(table.scale, minlength=len(settings.scales)).tolist()
        added = self.dataset.negative_chips(table, seed=self.seed, epoch=self.epoch, threads=threads)
        self._table = table if added is None else ChipTable.concatenate([table, added.chips])
        rng = np.random.default_rng((self.seed, self.epoch, 1))
        count = len(self._table)
        self._order = rng.permutation(count) if self.shuffle else np.arange(count)
        self._seeds = rng.integers(0, 2**32, count, dtype=np.uint32)
        self._mined = (self.seed, self.epoch)
        print_log(
            f"Epoch {self.epoch + 1}: {len(table)} chips from {len(packed)} images, by scale (finest first)"
            f" {per_scale},{'' if added is None else self._describe(added)} stride"
            f" {settings.stride(self.seed, self.epoch)}, mined in {time.perf_counter() - began:.1f} s.",
            logger="current",
        )
        if added is not None and not len(added.chips):
            print_log(
                f"No negative chip was found: none takes more boxes than {self.dataset.negative_settings} asks for."
                " Lower the thresholds in negatives=dict(...), or set proposals=None.",
                logger="current",
                level=logging.WARNING,
            )
        for scale, valid_range, chips in zip(settings.scales, settings.valid_ranges, per_scale, strict=True):
            if not chips:
                print_log(
                    f"Scale {scale} gives no chip: no box is in its valid range {valid_range}. Widen the range, or"
                    " remove the scale; tools/analysis_tools/chip_report.py CONFIG shows what the data has.",
                    logger="current",
                    level=logging.WARNING,
                )
