"""Images of a batch that lie in one tensor, so that they go to a GPU at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class StackedImages(list[Tensor]):
    """A list of images that are views of one tensor: whoever knows only lists sees images of their own sizes.

    torch's loader pins the tensor, not its views, and pickle writes it once.

    Args:
        images: (C, h, w) each.
        block: (B, C, H, W) that they are views of, each from its top left corner. What lies outside of an image has no
            meaning. Without it this is a list and nothing more.

    Example:
        >>> images = stacked_images([torch.ones(3, 4, 6).byte(), torch.ones(3, 5, 2).byte()])
        >>> images.block.shape, [image.shape for image in images]
        (torch.Size([2, 3, 5, 6]), [torch.Size([3, 4, 6]), torch.Size([3, 5, 2])])
    """

    def __init__(self, images: Iterable[Tensor] = (), block: Tensor | None = None) -> None:
        super().__init__(images)
        self.block = block

    @classmethod
    def of(cls, block: Tensor, sizes: Iterable[tuple[int, int]]) -> StackedImages:
        """The images of these heights and widths in a block."""
        return cls([one[:, :height, :width] for one, (height, width) in zip(block, sizes, strict=True)], block)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        if not self.whole:
            return StackedImages, (list(self),)
        return StackedImages.of, (self.block, sizes_of(self))

    def pin_memory(self) -> StackedImages:
        """The same in memory that a GPU reads by itself."""
        if not self.whole or self.block is None:
            return StackedImages(image.pin_memory() for image in self)
        return StackedImages.of(self.block.pin_memory(), sizes_of(self))

    @property
    def whole(self) -> bool:
        """Whether the images still are the views: a list can be changed."""
        if self.block is None or len(self) != len(self.block):
            return False
        return all(_lies_at(image, place) for image, place in zip(self, self.block, strict=True))


def sizes_of(images: Iterable[Tensor]) -> list[tuple[int, int]]:
    """Height and width of each image."""
    return [(image.shape[1], image.shape[2]) for image in images]


def stacked_images(images: Any) -> StackedImages | None:
    """uint8 images of the host with one number of channels in one tensor; ``None`` for whatever else.

    Args:
        images: (C, h, w) uint8 each. What is stacked is returned as it is, and one image alone is not copied.
    """
    if isinstance(images, StackedImages) and images.whole:
        return images
    if not isinstance(images, Sequence) or not images or not all(map(_is_image, images)):
        return None
    if len(channels := {len(image) for image in images}) > 1:
        return None
    sizes = sizes_of(images)
    if len(images) == 1:
        return StackedImages.of(images[0][None], sizes)
    height, width = map(max, zip(*sizes, strict=True))
    block = torch.empty(len(images), *channels, height, width, dtype=torch.uint8)
    stacked = StackedImages.of(block, sizes)
    for place, image in zip(stacked, images, strict=True):
        place.copy_(image)
    return stacked


def _lies_at(image: Tensor, place: Tensor) -> bool:
    return image.data_ptr() == place.data_ptr() and image.stride() == place.stride()


def _is_image(image: Any) -> bool:
    return isinstance(image, Tensor) and image.dtype == torch.uint8 and image.ndim == 3 and image.is_cpu
