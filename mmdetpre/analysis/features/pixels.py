"""Pixels of an image file as several networks are to see them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def read_photo(path: str | os.PathLike[str], resize_edge: int, crop: int | None = None) -> Tensor:
    """Pixels (3, H, W) uint8, BGR, of an image with its short side resized, and the center cut out if wanted.

    Args:
        path: Image file; photos are turned upright as their EXIF says.
        resize_edge: Length of the short side in pixels.
        crop: Side of a square at the center. None: the whole image.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it cannot be read, or sizes are out of range.

    Example:
        >>> read_photo("photo.jpg", 256, 224).shape
        torch.Size([3, 224, 224])
    """
    if not 1 <= (1 if crop is None else crop) <= resize_edge:
        cut = "" if crop is None else f", of which a square of {crop} is cut out"
        raise ValueError(
            f"The short side is to have {resize_edge} pixels{cut}: give 1 or more, and a square that fits."
        )
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no image {path}.")
    try:
        return run_steps(photo_steps(resize_edge, crop), path)
    except Exception as error:  # decoders raise all kinds
        raise ValueError(f"The image {path} cannot be read: damaged, cut off, or no image.") from error


def photo_steps(resize_edge: int, crop: int | None = None) -> list[Any]:
    """mmpretrain's own transforms, so that a classifier that was trained by its config sees the same pixels."""
    from mmcv.transforms import LoadImageFromFile
    from mmpretrain.datasets.transforms import CenterCrop, ResizeEdge

    steps = [LoadImageFromFile(), ResizeEdge(resize_edge, edge="short")]
    return steps if crop is None else [*steps, CenterCrop(crop)]


def run_steps(steps: Sequence[Any], path: str | os.PathLike[str]) -> Tensor:
    """Pixels (3, H, W) uint8, BGR, that transforms make of an image file; raises what they raise."""
    results: Any = {"img_path": os.fspath(path)}
    for step in steps:
        results = step(results)
    return torch.from_numpy(np.ascontiguousarray(results["img"].transpose(2, 0, 1)))


def as_rgb(pixels: Tensor) -> np.ndarray:
    """Pixels (3, H, W) BGR as a picture (H, W, 3) uint8, RGB."""
    return pixels.flip(0).permute(1, 2, 0).numpy()
