"""Open an image with Pillow, however large OpenCV reads it."""

from __future__ import annotations

import os
from typing import IO

from PIL import Image

MOST_PIXELS = int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", 2**30))
"""OpenCV reads images up to this size."""


def allow_huge_images() -> None:
    """Let Pillow read in this process what OpenCV reads; on its own it refuses images above 179 million pixels."""
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MOST_PIXELS)


def open_image(file: str | os.PathLike | IO[bytes]) -> Image.Image:
    """The image of a file, its pixels not read yet; close it.

    Raises:
        OSError: If the file is missing, is not an image, or has more pixels than OpenCV reads.
    """
    allow_huge_images()
    image = Image.open(file)
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise OSError(f"{image.width} x {image.height} pixels are more than the {MOST_PIXELS:,} that OpenCV reads")
    return image
