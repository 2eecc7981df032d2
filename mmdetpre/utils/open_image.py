"""Open an image with Pillow, however large OpenCV reads it, or read a small copy."""

from __future__ import annotations

import os
from typing import IO

import numpy as np
from PIL import Image, ImageOps

MOST_PIXELS = int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", 2**30))
"""OpenCV reads images up to this size."""
_ALWAYS = 1 << 26
_MOST_UNPACKED = 2048
"""Deflate gives 1,032 bytes for one, JPEG at most 1,536 (a bit for 8 x 8 pixels in three colors)."""
_PACKED_BETTER = ("WEBP", "AVIF", "JPEG2000", "GIF", "HEIF", "JXL")
"""One color takes next to nothing there."""


_ONE_CHANNEL = ("1", "L", "P")
"""Down to one bit a pixel, in files of PNG."""


def allow_huge_images() -> None:
    """Let Pillow read in this process what OpenCV reads; on its own it refuses images above 179 million pixels."""
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MOST_PIXELS)


def open_image(file: str | os.PathLike | IO[bytes]) -> Image.Image:
    """The image of a file, its pixels not read yet; close it.

    Raises:
        OSError: If the file is missing, is not an image, has more pixels than OpenCV reads, or announces more than can
            be in a file of its size: nothing is decoded then.
    """
    allow_huge_images()
    image = Image.open(file)
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise OSError(f"{image.width} x {image.height} pixels are more than the {MOST_PIXELS:,} that OpenCV reads")
    size = _size(file)
    announced = image.width * image.height * (0.125 if image.mode in _ONE_CHANNEL else 3)
    if announced > _ALWAYS + _MOST_UNPACKED * size and image.format not in _PACKED_BETTER:
        image.close()
        raise OSError(f"it announces {image.width} x {image.height} pixels in {size:,} bytes: it is cut off or damaged")
    return image


def read_thumbnail(path: str | os.PathLike, side: int) -> np.ndarray:
    """(h, w, 3) uint8 RGB of an image file, upright, its longer side at most ``side`` pixels.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it cannot be read.
    """
    try:
        with open_image(path) as image:
            image.draft("RGB", (2 * side, 2 * side))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no image {path}.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}).") from error
    upright.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(upright)


def _size(file: str | os.PathLike | IO[bytes]) -> int:
    """Bytes of a file."""
    if isinstance(file, str | os.PathLike):
        return os.stat(file).st_size
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size
