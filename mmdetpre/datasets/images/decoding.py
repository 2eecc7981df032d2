"""From the bytes of an image file to pixels, small where possible, or a named reason why not."""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
from PIL import UnidentifiedImageError

from mmdetpre.datasets.images.simple_jpeg import decode_plain_jpeg
from mmdetpre.utils.open_image import open_image

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG_START, _TIFF_STARTS = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*")
_PNM = re.compile(rb"P[2356](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+(\d+)")
_ZEROS = 64  # at the end of a JPEG: no compressed pixels look like that
_BITS_PER_SAMPLE = 258  # tag of TIFF
_DARK = 1 << 14
"""Values of 16 bits stay below it in files that hold 10, 12 or 14."""
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
    plain_size = _require_bounded(data)
    is_jpeg = data.startswith(_JPEG_START)
    if is_jpeg and not data.endswith(_JPEG_END):
        _require_complete(data)
    reduction = reduction if is_jpeg else 1
    buffer = np.frombuffer(data, np.uint8)
    if not is_jpeg:
        _require_full_range(data, buffer)
    image = decode_plain_jpeg(data, plain_size, reduction) if plain_size else None
    if image is None:
        image = _decode(buffer, _REDUCED[reduction])
    expected = tuple(-(-side // reduction) for side in size)
    if image.shape[1::-1] != expected:
        found = image.shape[1::-1]
        image = _decode(buffer, _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
        if image.shape[1::-1] != expected:
            full = " x ".join(str(side * reduction) for side in found)
            raise BrokenImageError(f"it has about {full} pixels but is annotated as {size[0]} x {size[1]}")
    return image, reduction


def require_sound(data: bytes) -> None:
    """Decode an image as training does, and refuse what would be trained on as gray, black or half a picture.

    Args:
        data: The file.

    Raises:
        BrokenImageError: With the reason.

    Example:
        >>> require_sound(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    """
    if not data:
        raise BrokenImageError("the file is empty")
    _require_bounded(data)
    buffer = np.frombuffer(data, np.uint8)
    if data.startswith(_JPEG_START):
        if not data.endswith(_JPEG_END):
            _require_complete(data)
            written = data.rstrip(b"\0")
            if len(data) - len(written) >= _ZEROS and not written.endswith(_JPEG_END):
                raise BrokenImageError("the JPEG is cut off and filled up with zeros")
        _decode(buffer, cv2.IMREAD_REDUCED_COLOR_8)
        return
    _require_full_range(data, buffer)
    _decode(buffer, cv2.IMREAD_COLOR)
    _require_complete(data)


def _require_bounded(data: bytes) -> tuple[int, int] | None:
    """Refuse what takes gigabytes by its header alone, before memory is taken; what Pillow does not know passes.

    Returns:
        Width and height of a JPEG in gray or color that nothing turns.
    """
    try:
        with open_image(io.BytesIO(data)) as image:
            mode, plain = image.mode, image.format == "JPEG" and image.mode in ("L", "RGB") and "exif" not in image.info
            size = image.size
    except UnidentifiedImageError:
        return None
    except Exception as error:  # damaged headers make Pillow raise OSError, SyntaxError, ValueError ...
        raise BrokenImageError(str(error)) from error
    if mode == "LAB":  # OpenCV takes its values for red, green and blue
        raise BrokenImageError("its colors are CIE L*a*b*: convert it to RGB")
    return size if plain else None


def _decode(buffer: np.ndarray, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(buffer, flags)
    except cv2.error as error:
        raise BrokenImageError(f"OpenCV cannot decode it ({error})") from error
    if image is None:
        raise BrokenImageError("OpenCV cannot decode it: damaged, cut off, or not an image")
    return image


def _require_complete(data: bytes) -> None:
    """Some OpenCV versions fill what is missing with gray, Pillow refuses. The end mark alone is not a proof: cameras
    append data of their own. Formats that Pillow does not know are left to OpenCV."""
    try:
        with open_image(io.BytesIO(data)) as image:
            image.load()
    except UnidentifiedImageError:
        return
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError ... for damaged files
        kind = "JPEG" if data.startswith(_JPEG_START) else "file"
        raise BrokenImageError(f"the {kind} is cut off or damaged ({error})") from error


def _require_full_range(data: bytes, buffer: np.ndarray) -> None:
    """Refuse values of 10, 12 or 14 bits in a file of 16: decoded to 8 bits, divided by 256, they are all dark."""
    if _bits_per_channel(data) <= 8:
        return
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BrokenImageError(f"OpenCV cannot decode it ({error})") from error
    if image is None or image.dtype == np.uint8:
        return
    if image.dtype != np.uint16:
        raise BrokenImageError(f"its values are {image.dtype}, expected 8 or 16 bits: convert it to 8 bits")
    if image.size and image.max() < _DARK:
        raise BrokenImageError(
            f"its 16-bit values reach {image.max()} only, so it is nearly black in 8 bits: convert it to 8 bits by its"
            " own range"
        )


def _bits_per_channel(data: bytes) -> int:
    if data.startswith(_PNG_START):
        return data[24] if len(data) > 24 else 8
    if pnm := _PNM.match(data[:1024]):
        return 16 if int(pnm[1]) > 255 else 8
    if data.startswith(_TIFF_STARTS):
        try:
            with open_image(io.BytesIO(data)) as image:
                bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
        except Exception:  # not for Pillow, or damaged: OpenCV will tell
            return 16
        return max(bits) if isinstance(bits, tuple) and bits else int(bits)
    return 8
