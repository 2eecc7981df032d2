"""What defines negative chips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NegativeSettings:
    """The parameters of negative chip mining.

    Args:
        finest_threshold: A chip of the finest scale is kept if it takes more than so many boxes. The only scale of a
            data set is its finest.
        other_threshold: The same for every other scale.
        max_per_image: At most N negative chips of an image in an epoch, chosen at random from those found.
        neg_exclude_gt: Whether ground truth is kept out of negative chips. ``False``, as in the original: ground truth
            that no positive chip of the scale learns counts like a proposal, and is learned in the negative chip that
            takes it; other ground truth that shows in the chip is ignored there, as in positive chips. Nothing false
            is learned either way, and regions around objects, where false proposals abound, are not lost, so it is
            the default. ``True``: ground truth never counts, and no negative chip contains a box that its scale could
            learn.

    Raises:
        ValueError: If a number is out of its range; the message says which to change.

    Source: section 3.3 of "SNIPER: Efficient Multi-Scale Training" (2018); the thresholds are those of its code.

    Example:
        >>> NegativeSettings().thresholds(3).tolist()
        [25, 10, 10]
    """

    finest_threshold: int = 25
    other_threshold: int = 10
    max_per_image: int = 2
    neg_exclude_gt: bool = False

    def __post_init__(self) -> None:
        for name in ("finest_threshold", "other_threshold"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(
                    f"{name} of the negative chips is {value!r}: give a whole number of boxes, 0 or more (a chip is"
                    " kept if it takes more)."
                )
        if not isinstance(self.max_per_image, int) or self.max_per_image < 1:
            raise ValueError(
                f"max_per_image of the negative chips is {self.max_per_image!r}: it must be 1 or more. To train without"
                " negative chips set proposals=None of the ChipDataset."
            )

    def thresholds(self, scales: int) -> np.ndarray:
        """(S,) int64, the number of boxes that a chip of each scale must exceed, finest first."""
        thresholds = np.full(scales, self.other_threshold, dtype=np.int64)
        thresholds[0] = self.finest_threshold
        return thresholds
