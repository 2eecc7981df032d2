"""Which images cannot be decoded, before anything is trained on them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2

from mmdetpre.datasets.images.decoding import BrokenImageError, require_sound
from mmdetpre.datasets.images.file_verdicts import file_verdicts

_KIND = "images-1"


def broken_images(paths: Sequence[str | os.PathLike], workers: int | None = None) -> dict[str, str]:
    """Decode images on all cores, with a progress bar; those that were decoded before and have not changed are known.

    Args:
        paths: Local files.
        workers: Threads; None: as many as there are cores.

    Returns:
        Path of each image that cannot be used, and why: missing, cut off, damaged, no image, or of values that are
        nearly black in 8 bits.

    Example:
        >>> broken_images(["nowhere.jpg"])
        {'nowhere.jpg': 'missing'}
    """
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)  # what is wrong is named below
    try:
        verdicts = file_verdicts(paths, _KIND, _reason, what="decoding images", workers=workers)
    finally:
        logging.setLogLevel(level)
    return {os.fspath(path): reason for path, reason in zip(paths, verdicts, strict=True) if reason}


def _reason(data: bytes) -> str:
    try:
        require_sound(data)
    except BrokenImageError as error:
        return str(error)
    return ""
