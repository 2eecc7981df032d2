"""Label maps in color, by the colors that a list of classes names."""

from __future__ import annotations

import io

import numpy as np

from mmdetpre.study.custom_data.segmentation.class_files import ClassFile
from mmdetpre.utils.bounded_files import GIB, read_bounded
from mmdetpre.utils.open_image import open_image


def is_colored(path: str) -> bool:
    """Whether a picture is in color; False for what is not a picture.

    Args:
        path: The file.
    """
    try:
        with open_image(path) as image:
            return image.mode in ("RGB", "RGBA")
    except Exception:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... for damaged files
        return False


def read_color_map(path: str, classes: ClassFile) -> np.ndarray:
    """(h, w) uint8 labels of a picture in color.

    Args:
        path: The file.
        classes: Names and colors.

    Raises:
        ValueError: If it cannot be read, or holds a color that is not named.
    """
    try:
        with open_image(io.BytesIO(read_bounded(path, 4 * GIB))) as image:
            pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... for damaged files
        raise ValueError(f"{path} (it cannot be read)") from error
    packed = (pixels << (16, 8, 0)).sum(axis=2)
    colors = [(red << 16) + (green << 8) + blue for red, green, blue in classes.colors]
    order = np.argsort(colors)
    at = np.searchsorted(np.array(colors)[order], packed).clip(max=len(colors) - 1)
    labels = order[at]
    if len(strange := packed[np.array(colors)[labels] != packed]):
        color = int(strange[0])
        shown = (color >> 16, color >> 8 & 255, color & 255)
        raise ValueError(f"{path} ({len(strange):,} pixels of colors that {classes.file.name} lacks, such as {shown})")
    return labels.astype(np.uint8)
