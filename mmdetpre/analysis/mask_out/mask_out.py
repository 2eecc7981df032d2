"""How much a classifier relies on each part of an image: a blank square is shifted over it.

Positions are the top left corners of the square, in pixels of the network's input: 0, s, 2s, ... along each side, and
the last one at which the square still lies inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

MASK, STRIDE, BATCH, BATCH_GPU = 60, 8, 8, 64
"""Side of the square, of the paper; pixels between positions; images that pass the network together on a CPU, where
the maps of more leave the caches, and on a GPU."""

Classify = Callable[[Tensor], Tensor]
"""Function from normalized images (B, 3, H, W) to probabilities (B, classes)."""


@dataclass(frozen=True)
class Lowest:
    """Left and upper edge of the square where the probability is lowest, and that probability."""

    x: int
    y: int
    probability: float


@dataclass(frozen=True, eq=False)
class MaskOut:
    """Probability of one class while parts of an image are masked.

    Attributes:
        unmasked: Probability of the class for the whole image.
        lowest: Where it is lowest; the first of several.
        mask: Side of the square in pixels.
        size: Height and width of the image.
        xs: (n,) left edges of the square's positions.
        ys: (m,) upper edges.
        probability: (m, n) float32 probability of the class with the square at each position.

    Example:
        >>> found = MaskOut(0.9, 2, (3, 2), np.array([0]), np.array([0, 1]), np.array([[0.9], [0.1]]))
        >>> found.lowest, found.per_pixel()[:, 0].astype(float).round(2).tolist()
        (Lowest(x=0, y=1, probability=0.1), [0.9, 0.5, 0.1])
    """

    unmasked: float
    lowest: Lowest = field(init=False)
    mask: int
    size: tuple[int, int]
    xs: np.ndarray
    ys: np.ndarray
    probability: np.ndarray

    def __post_init__(self) -> None:
        row, column = np.unravel_index(np.argmin(self.probability), self.probability.shape)
        value = float(self.probability[row, column])
        object.__setattr__(self, "lowest", Lowest(int(self.xs[column]), int(self.ys[row]), value))

    def per_pixel(self) -> np.ndarray:
        """(H, W) float32: for each pixel the mean probability over the positions that mask it."""
        height, width = self.size
        rows, columns = _covers(self.ys, self.mask, height), _covers(self.xs, self.mask, width)
        total = rows @ self.probability.astype(np.float64) @ columns.T
        return (total / np.outer(rows.sum(axis=1), columns.sum(axis=1))).astype(np.float32)


def mask_positions(length: int, mask: int = MASK, stride: int = STRIDE) -> np.ndarray:
    """First pixels of the mask along one side of an image: 0, s, 2s, ... and the last at which it fits.

    Args:
        length: Length of the side in pixels.
        mask: Length of the mask.
        stride: Pixels between positions; at most ``mask``, so that each pixel is masked once at least.

    Raises:
        ValueError: If the mask does not fit, or the stride is out of range.

    Example:
        >>> mask_positions(224, 60, 40).tolist()
        [0, 40, 80, 120, 160, 164]
    """
    if not 1 <= mask <= length:
        raise ValueError(
            f"A mask of {mask} pixels does not fit an image of {length}: give a mask from 1 to {length} (--mask), or"
            " show the network a larger image."
        )
    if not 1 <= stride <= mask:
        raise ValueError(f"The stride is {stride}: give 1 to {mask} pixels, the mask's side, so that none is left out.")
    return np.append(np.arange(0, length - mask, stride), length - mask)


@torch.inference_mode()
def mask_out(
    classify: Classify,
    image: Tensor,
    label: int,
    *,
    mask: int = MASK,
    stride: int = STRIDE,
    blank: Tensor | float = 0.0,
    batch_size: int = BATCH,
    bar: tqdm | None = None,
) -> MaskOut:
    """Probability of a class with a blank square at each position, in batches of one size of memory.

    Args:
        classify: The network in eval mode; it must treat each image of a batch by itself.
        image: (3, H, W) float, normalized, on the network's device.
        label: Index of the class.
        mask: Side of the square in pixels.
        stride: Pixels between positions.
        blank: Value of masked pixels, one or one per channel; 0 is the mean color of a normalized image.
        batch_size: Masked images that pass the network together.
        bar: Progress bar to update by the positions.

    Raises:
        ValueError: If the mask does not fit, stride, batch size or label are out of range, or a probability is not
            finite or not from 0 to 1.

    Source: Figure 9 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> left_half = lambda images: images[..., :2].mean(dim=(1, 2, 3))[:, None]
        >>> mask_out(left_half, torch.ones(3, 4, 4), 0, mask=2, stride=2).probability.tolist()
        [[0.5, 1.0], [0.5, 1.0]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: give a positive number.")
    height, width = image.shape[1:]
    ys, xs = mask_positions(height, mask, stride), mask_positions(width, mask, stride)
    unmasked = float(_of_class(classify(image[None]), label)[0])
    color = torch.as_tensor(blank, dtype=image.dtype, device=image.device).reshape(-1, 1, 1)
    corners = [(y, x) for y in ys.tolist() for x in xs.tolist()]
    found = []
    for start in range(0, len(corners), batch_size):
        part = corners[start : start + batch_size]
        images = image.repeat(len(part), 1, 1, 1)
        for masked, (y, x) in zip(images, part, strict=True):
            masked[:, y : y + mask, x : x + mask] = color
        found.append(_of_class(classify(images), label))
        if bar is not None:
            bar.update(len(part))
    probability = torch.cat(found).reshape(len(ys), len(xs)).cpu().numpy()
    return MaskOut(unmasked, mask, (height, width), xs, ys, probability)


def _of_class(probabilities: Tensor, label: int) -> Tensor:
    if not 0 <= label < probabilities.shape[1]:
        raise ValueError(
            f"The class is number {label}, and the classifier has {probabilities.shape[1]}: give 0 to"
            f" {probabilities.shape[1] - 1}."
        )
    values = probabilities[:, label].float()
    if not bool(((values >= 0) & (values <= 1 + 1e-5)).all()):  # so NaN is refused too
        raise ValueError(
            f"The classifier gives {float(values[0]):g} for class {label}, which is not a probability: has its training"
            " diverged?"
        )
    return values


def _covers(starts: np.ndarray, mask: int, length: int) -> np.ndarray:
    """(length, positions) 1 where the mask at a position covers a pixel."""
    pixels = np.arange(length)[:, None]
    return ((pixels >= starts) & (pixels < starts + mask)).astype(np.float64)
