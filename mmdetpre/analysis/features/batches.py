"""Whole images of one size, the same pixels for every model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mmdetpre.analysis.features.image_set import ImageSet
from mmdetpre.analysis.features.pixels import photo_steps, run_steps
from mmdetpre.transfer.preprocessing import Preprocessing

RESIZE_EDGE, CROP = 256, 224


class WholeImages(Dataset):
    """Images with the short side resized to ``resize_edge`` and the center cut out, as ImageNet's test images are.

    mmpretrain's own transforms do it (bilinear), so that a classifier trained by its config sees the same pixels.

    Args:
        images: The images.
        resize_edge: Length of the short side in pixels.
        crop: Side of the square that is cut out.

    Raises:
        ValueError: If the square does not fit.
    """

    def __init__(self, images: ImageSet, resize_edge: int = RESIZE_EDGE, crop: int = CROP) -> None:
        if not 1 <= crop <= resize_edge:
            raise ValueError(
                f"A square of {crop} pixels does not fit into a short side of {resize_edge}: set --crop"
                " from 1 to that of --resize-edge."
            )
        self.images = images
        self._steps = photo_steps(resize_edge, crop)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, row: int) -> torch.Tensor | str:
        """Pixels (3, crop, crop) uint8, BGR; or why there are none, for an error of a worker cannot be read well."""
        try:
            return run_steps(self._steps, self.images.path(row))
        except Exception as error:  # decoders raise all kinds
            reason = str(error).strip().splitlines() or [type(error).__name__]
            return f"The image {self.images.path(row)} cannot be read ({reason[-1]}): replace it, or take it out."


def read_batches(images: WholeImages, batches: Sequence[np.ndarray], workers: int = 0) -> Iterator[torch.Tensor]:
    """Pixels (B, 3, crop, crop) uint8 of each batch of rows, decoded by worker processes ahead of time.

    Args:
        images: The images.
        batches: Rows of ``images`` of each batch.
        workers: Number of worker processes; 0: this process decodes.

    Raises:
        ValueError: Names an image that cannot be read.
    """
    loader = DataLoader(images, batch_sampler=[rows.tolist() for rows in batches], num_workers=workers, collate_fn=list)
    for items in loader:
        for item in items:
            if isinstance(item, str):
                raise ValueError(item)
        yield torch.stack(items)


def pixel_statistics(ready: Preprocessing) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Mean, deviation and channel order of a network's images; where nothing is known pixels stay as they are.

    Example:
        >>> pixel_statistics(Preprocessing(std=(2.0, 2.0, 2.0)))
        ((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), 'bgr')
    """
    return ready.mean or (0.0,) * 3, ready.std or (1.0,) * 3, ready.channel_order or "bgr"


def normalize(pixels: torch.Tensor, ready: Preprocessing) -> torch.Tensor:
    """Float images (B, 3, H, W) as a network expects them, of BGR pixels.

    Args:
        pixels: (B, 3, H, W) uint8, BGR.
        ready: How the network wants its images.

    Example:
        >>> pixels = torch.tensor([3, 2, 1], dtype=torch.uint8).view(1, 3, 1, 1)
        >>> normalize(pixels, Preprocessing((1, 1, 1), (2, 2, 2), "rgb")).flatten().tolist()
        [0.0, 0.5, 1.0]
    """
    mean, std, order = pixel_statistics(ready)
    images = (pixels.flip(1) if order == "rgb" else pixels).float()
    shape = (1, 3, 1, 1)
    return (images - images.new_tensor(mean).view(shape)) / images.new_tensor(std).view(shape)
