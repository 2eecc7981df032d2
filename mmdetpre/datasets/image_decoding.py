"""From the bytes of an image file to pixels, small where possible, or a named reason why not."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class BrokenImageError(RuntimeError):
    """An image that cannot be used: missing, truncated, undecodable or not of its annotated size."""


def jpeg_reduction(scale_factor: float) -> int:
    """The largest of 1, 2, 4, 8 by which an image may be decoded smaller without being enlarged afterwards.

    Example:
        >>> [jpeg_reduction(s) for s in (1.6, 0.6, 0.5, 0.3, 0.2, 0.05)]
        [1, 1, 2, 2, 4, 8]
    """
    return next((r for r in (8, 4, 2) if scale_factor * r <= 1), 1)


def decode_image(data: bytes, size: tuple[int, int], reduction: int = 1) -> tuple[np.ndarray, int]:
    """Decode to BGR pixels of the annotated orientation.

    The EXIF orientation is applied, unless only the stored orientation has the annotated size (COCO's JSON counts
    pixels as they are stored). Grayscale, palette and CMYK images give three channels like any other.

    Args:
        data: The file.
        size: Annotated width and height in pixels.
        reduction: 1, 2, 4 or 8: decode a JPEG at that fraction of its size. Other formats are decoded in full.

    Returns:
        The (ceil(height / r), ceil(width / r), 3) uint8 image and ``r``, the reduction that was applied. Pixel ``i``
        of a reduced image averages the pixels ``i * r .. i * r + r - 1`` of the full one.

    Raises:
        BrokenImageError: With the reason.
    """
    if not data:
        raise BrokenImageError("the file is empty")
    is_jpeg = data.startswith(_JPEG_START)
    if is_jpeg and not data.endswith(_JPEG_END):
        _require_complete(data)
    reduction = reduction if is_jpeg else 1
    buffer = np.frombuffer(data, np.uint8)
    image = _decode(buffer, _REDUCED[reduction])
    expected = tuple(-(-side // reduction) for side in size)
    if image.shape[1::-1] != expected:
        found = image.shape[1::-1]
        image = _decode(buffer, _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
        if image.shape[1::-1] != expected:
            full = " x ".join(str(side * reduction) for side in found)
            raise BrokenImageError(f"it has about {full} pixels but is annotated as {size[0]} x {size[1]}")
    return image, reduction


def _decode(buffer: np.ndarray, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(buffer, flags)
    except cv2.error as error:
        raise BrokenImageError(f"OpenCV cannot decode it ({error})") from error
    if image is None:
        raise BrokenImageError("OpenCV cannot decode it: damaged, cut off, or not an image")
    return image


def _require_complete(data: bytes) -> None:
    """Some OpenCV versions fill what is missing with gray, Pillow refuses. The end mark alone is no proof: cameras
    append data of their own."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError ... for damaged files
        raise BrokenImageError(f"the JPEG is cut off or damaged ({error})") from error
