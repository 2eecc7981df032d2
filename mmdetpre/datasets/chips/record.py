"""What the sampler asks of the dataset: one chip of one image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class ChipRecord(NamedTuple):
    """One chip to load.

    Attributes:
        image: Index of the image in the packed table.
        scale: Index of the scale, 0 is the finest.
        x: Left edge in pixels of the scaled image.
        y: Top edge in pixels of the scaled image.
        width: Width in pixels of the scaled image.
        height: Height in pixels of the scaled image.
        valid: (k,) int32, the boxes of the image (indices within it) that are learned in this chip.
        seed: Seed of every random transform of this chip.
        keep: Whether a later chip needs the decoded image again.
        finest: The finest scale of the chips that share the decoded image; -1: that of this chip.
    """

    image: int
    scale: int
    x: int
    y: int
    width: int
    height: int
    valid: np.ndarray
    seed: int
    keep: bool = False
    finest: int = -1
