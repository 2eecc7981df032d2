"""Decoded images that a worker needs again."""

from __future__ import annotations

import numpy as np


class DecodedImages:
    """Decoded images, by key; where they exceed a bound, those that came first go.

    None are pickled: each worker begins without any.

    Args:
        megabytes: Bound of all together, in units of 2**20 bytes.

    Example:
        >>> images = DecodedImages(1)
        >>> images.put("a", np.zeros((512, 512, 3), np.uint8), 1)
        >>> images.put("b", np.zeros((512, 512, 3), np.uint8), 1)
        >>> images.take("a", keep=False) is None, images.take("b", keep=False)[0].shape, images.take("b", keep=False)
        (True, (512, 512, 3), None)
    """

    def __init__(self, megabytes: float) -> None:
        self.megabytes = megabytes
        self._bytes = 0
        self._images: dict[object, tuple[np.ndarray, int]] = {}

    def take(self, key: object, keep: bool) -> tuple[np.ndarray, int] | None:
        """An image and its reduction, or ``None``; forgotten unless it is to be kept."""
        found = self._images.get(key) if keep else self._images.pop(key, None)
        if found is not None and not keep:
            self._bytes -= found[0].nbytes
        return found

    def put(self, key: object, image: np.ndarray, reduction: int) -> None:
        """Keep an image that is not here.

        Args:
            key: What it is asked for by.
            image: (h, w, 3) uint8.
            reduction: How many times smaller it was decoded.
        """
        self._images[key] = (image, reduction)
        self._bytes += image.nbytes
        while self._bytes > self.megabytes * 2**20:
            self._bytes -= self._images.pop(next(iter(self._images)))[0].nbytes

    def __reduce__(self) -> tuple:
        return DecodedImages, (self.megabytes,)
