"""Sizes of images from their headers, without decoding."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from mmengine.logging import print_log

from mmdetpre.storage.read import is_local, known_sizes, read_bytes
from mmdetpre.storage.retry import StorageError
from mmdetpre.utils.open_image import open_image
from mmdetpre.utils.progress_bar import progress_bar

_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_BLOCK = 256


def read_image_size(file: str | io.BytesIO) -> tuple[int, int]:
    """Width and height in pixels as OpenCV decodes the image, that is with its EXIF orientation applied.

    Args:
        file: Path or bytes of the image.

    Raises:
        OSError: If the file is missing or is not an image.
    """
    with open_image(file) as image:
        width, height = image.size
        sideways = image.getexif().get(_EXIF_ORIENTATION) in _SIDEWAYS
    return (height, width) if sideways else (width, height)


def read_image_sizes(paths: Sequence[str], backend_args: dict | None = None, workers: int = 16) -> np.ndarray:
    """Sizes of many images, read in parallel with a progress bar.

    Args:
        paths: N paths.
        backend_args: Arguments of mmengine's file backend; ``None`` reads only the headers of local files.
            ``mmdetpre.TarShards`` knows the sizes without reading any image.
        workers: Number of threads.

    Returns:
        (N, 2) int32 width and height; (0, 0) for an image that is missing or unreadable. These are counted and the
        first few named in a warning.

    Raises:
        StorageError: If a file server or network does not answer after all retries.
    """
    sizes = np.zeros((len(paths), 2), np.int32)
    reasons: dict[int, str] = {}

    def read_block(start: int) -> int:
        block = range(start, min(start + _BLOCK, len(paths)))
        for i in block:
            try:
                near = backend_args is None and is_local(paths[i])
                file = paths[i] if near else io.BytesIO(read_bytes(paths[i], backend_args))
            except StorageError:  # it says nothing of the image
                raise
            except OSError as error:
                reasons[i] = "missing" if isinstance(error, FileNotFoundError) else str(error)
                continue
            try:
                sizes[i] = read_image_size(file)
            except Exception as error:  # damaged headers make Pillow raise SyntaxError, ValueError, struct.error ...
                reasons[i] = "missing" if isinstance(error, FileNotFoundError) else str(error)
        return len(block)

    if (known := known_sizes(paths, backend_args)) is not None:
        sizes = known
        reasons = {int(i): "missing or damaged" for i in np.flatnonzero(sizes.min(axis=1, initial=1) <= 0)}
        blocks = range(0)
    else:
        blocks = range(0, len(paths), _BLOCK)
    with (
        ThreadPoolExecutor(workers) as pool,
        progress_bar(total=len(paths), desc="reading image sizes", unit=" images") as bar,
    ):
        for done in pool.map(read_block, blocks):
            bar.update(done)
    if reasons:
        named = "; ".join(f"{paths[i]}: {reasons[i]}" for i in sorted(reasons)[:5])
        print_log(f"{len(reasons)} of {len(paths)} images cannot be read: {named} ...", "current", logging.WARNING)
    return sizes


def settle_sizes(
    paths: Sequence[str], sizes: np.ndarray, backend_args: dict | None = None, missing: Sequence[int] = ()
) -> np.ndarray:
    """Annotated sizes, checked against what is there: read from the header where unknown, (0, 0) where no file is.

    Args:
        paths: N paths.
        sizes: (N, 2) annotated width and height, (0, 0) where unknown.
        backend_args: Arguments of mmengine's file backend.
        missing: Indices of the files that are not there, see `mmdetpre.datasets.images.photo_names`.

    Returns:
        (N, 2) int32. Missing files are counted and the first few named in a warning.
    """
    sizes = np.array(sizes, np.int32).reshape(-1, 2)
    sizes[list(missing)] = 0
    unknown = np.setdiff1d(np.flatnonzero(sizes.min(axis=1, initial=1) <= 0), missing)
    if len(unknown):
        sizes[unknown] = read_image_sizes([paths[i] for i in unknown], backend_args)
    if missing:
        named = "; ".join(paths[i] for i in missing[:5])
        print_log(f"{len(missing)} of {len(paths)} images are missing: {named} ...", "current", logging.WARNING)
    return sizes
