"""Which images turned out broken while training, counted over all workers and ranks."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import torch
from mmengine import dist
from mmengine.logging import print_log


class TooManyBrokenImages(RuntimeError):
    """More images are broken than the limit allows."""


class BrokenImages:
    """One flag per image in shared memory: every worker writes, everybody reads.

    In a distributed run each rank counts for itself, its workers included, until :meth:`synchronize` joins the counts
    at the end of the epoch: before that the limit holds for each rank alone. Nothing is written to checkpoints, so a
    resumed run counts from zero.

    Args:
        total: Number of images.
        path: Gives the path of an image, for messages.
        limit: How many different images may be broken: a count, or a fraction of the images below 1.

    Raises:
        ValueError: If the limit is negative or a fraction above 1.
    """

    def __init__(self, total: int, path: Callable[[int], str], limit: int | float) -> None:
        if limit < 0 or (isinstance(limit, float) and limit > 1):
            raise ValueError(f"max_broken is {limit}: give a count of images (an int) or a fraction from 0.0 to 1.0.")
        self.path = path
        self.limit = math.floor(limit * total) if isinstance(limit, float) else limit
        self.flags = torch.zeros(total, dtype=torch.uint8).share_memory_()

    def report(self, image: int, reason: str) -> None:
        """Count a broken image and name it once.

        Raises:
            TooManyBrokenImages: If that is one too many.
        """
        if self.flags[image]:
            return
        self.flags[image] = 1
        print_log(f"Broken image {self.path(image)}: {reason}. Another one is used.", "current", logging.WARNING)
        self._check(f" The last: {reason}.")

    def count(self) -> int:
        """Number of different broken images seen so far."""
        return int(self.flags.sum(dtype=torch.int64))

    def examples(self, most: int = 5) -> list[str]:
        """Paths of the first few broken images."""
        return [self.path(i) for i in self.flags.nonzero()[:most, 0].tolist()]

    def synchronize(self) -> None:
        """Join the flags of all ranks; every rank calls this.

        Raises:
            TooManyBrokenImages: On every rank, if together they found more than the limit.
        """
        if dist.get_world_size() > 1:
            flags = self.flags.clone()
            dist.all_reduce(flags, op="max")
            self.flags.copy_(flags)
            self._check(" That is the count of all ranks together.")

    def _check(self, detail: str) -> None:
        if (count := self.count()) > self.limit:
            raise TooManyBrokenImages(
                f"{count} of {len(self.flags)} images are broken, among them {', '.join(self.examples())}.{detail}"
                f" Repair or remove them, check data_prefix, or raise max_broken={self.limit} of ChipDataset."
            )
