"""JPEGs decoded by the optional package simplejpeg: libjpeg-turbo without OpenCV's detours, the same pixels."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

import cv2
import numpy as np

_SMALLEST = 16
"""Pixels of the longer side: below, the size of the result does not tell by how much it was reduced."""


@cache
def _simplejpeg() -> ModuleType | None:
    try:
        return import_module("simplejpeg")
    except ImportError:
        return None


def jpeg_decoder() -> str:
    """What decodes the JPEGs of training.

    Example:
        >>> jpeg_decoder().split()[0] in ("simplejpeg", "OpenCV")
        True
    """
    return f"OpenCV {cv2.__version__}" if _simplejpeg() is None else f"simplejpeg {version('simplejpeg')}"


def decode_plain_jpeg(data: bytes, size: tuple[int, int], reduction: int) -> np.ndarray | None:
    """Decode a JPEG of one or three channels, without an EXIF orientation, to OpenCV's pixels.

    Args:
        data: The file.
        size: Width and height in its header, in pixels.
        reduction: 1, 2, 4 or 8: decode at that fraction of the size.

    Returns:
        (ceil(height / r), ceil(width / r), 3) uint8 BGR; ``None`` where OpenCV has to decode it, or to say what is
        wrong: the package is not installed, the image is tiny or damaged.

    Example:
        >>> decode_plain_jpeg(b"damaged", (640, 480), 1) is None
        True
    """
    package = _simplejpeg()
    if package is None or max(size) < _SMALLEST:
        return None
    width, height = (-(-side // reduction) if reduction > 1 else 0 for side in size)
    try:
        return package.decode_jpeg(data, "BGR", min_width=width, min_height=height)
    except ValueError:  # what libjpeg would only warn of, too
        return None
