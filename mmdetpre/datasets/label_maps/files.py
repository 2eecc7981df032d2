"""Label maps, one class index per pixel: what they must be, and their files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from mmdetpre.utils.bounded_files import GIB, read_bounded
from mmdetpre.utils.open_image import open_image
from mmdetpre.utils.whole_file import whole_file

MAX_LABEL = 255  # of a file with one byte per pixel


def check_shapes(truth: np.ndarray, prediction: np.ndarray) -> None:
    """Raise ``ValueError`` unless both are ``(h, w)`` of one size.

    Raises:
        ValueError: If the truth is not two-dimensional, or they differ in shape.
    """
    if truth.ndim != 2:
        raise ValueError(
            f"the label map has shape {tuple(truth.shape)}, expected (height, width): color files must be converted to"
            " one class index per pixel, and palette files read without their palette (imdecode_backend='pillow')."
        )
    if truth.shape != prediction.shape:
        raise ValueError(
            f"the label map has shape {tuple(truth.shape)} and the prediction {tuple(prediction.shape)}: predictions"
            " are compared at the size of the image file, so its label file needs the same size, and the test pipeline"
            " must load annotations after Resize."
        )


def wrong_values(truth: np.ndarray, prediction: np.ndarray, classes: int, ignore_index: int) -> str:
    """What to say of values that are not a class; empty if all are.

    Args:
        truth: (h, w) integer label map.
        prediction: (h, w) integer label map.
        classes: Number of classes.
        ignore_index: Value of void pixels of the truth.
    """
    expected = f"expected are 0 to {classes - 1}, one per class"
    wrong = truth[(truth != ignore_index) & ((truth < 0) | (truth >= classes))]
    if len(wrong):
        return (
            f"the label map holds {_short(wrong)}: {expected}, and {ignore_index} for void. Check the classes of the"
            " data set, and reduce_zero_label."
        )
    wrong = prediction[(prediction < 0) | (prediction >= classes)]
    if len(wrong):
        return f"the prediction holds {_short(wrong)}: {expected}. Set num_classes={classes} in the decode head."
    return ""


def read_label_map(path: str | Path) -> np.ndarray:
    """``(h, w)`` class indices of a picture file with one value per pixel, see :func:`decode_label_map`.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is not a picture, in color, or holds fractions.
    """
    try:
        return decode_label_map(read_bounded(path, 4 * GIB))
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no label map {path}.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read as a label map ({error.strerror or error}).") from None
    except ValueError as error:
        raise ValueError(f"Label map {path}: {error}") from None


def decode_label_map(data: bytes) -> np.ndarray:
    """The values of a picture with one value per pixel, as they stand in the file.

    Args:
        data: The file: gray or with a palette, of 1 to 32 bits.

    Returns:
        ``(h, w)``, uint8 if all values fit, else uint16 or int32.

    Raises:
        ValueError: If it is not a picture, damaged, in color, or holds fractions.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> Image.fromarray(np.array([[0, 256]], np.uint16)).save(file, "PNG")
        >>> decode_label_map(file.getvalue()).tolist()
        [[0, 256]]
    """
    try:
        with open_image(io.BytesIO(data)) as image:
            mode, labels = image.mode, np.asarray(image)
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... for damaged files
        reason = "it is cut off" if "truncated" in str(error) else "it is damaged, cut off, or no picture"
        raise ValueError(f"the file cannot be read: {reason}.") from error
    if labels.ndim != 2:
        colors = np.unique(labels.reshape(-1, labels.shape[-1]), axis=0)
        listed = ", ".join(str(tuple(color)) for color in colors[:4].tolist())
        raise ValueError(
            f"it is in color (mode {mode}), {len(colors)} colors such as {listed}: a label map holds one class index"
            " per pixel, in gray or with a palette. Convert colors to class indices."
        )
    if labels.dtype.kind == "f":
        raise ValueError(
            f"it holds fractions (mode {mode}), such as {_short(labels)}: a label map holds one class index per pixel,"
            " a whole number."
        )
    least, most = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    fits = (kind for kind in (np.uint8, np.uint16) if least >= 0 and most <= np.iinfo(kind).max)
    return labels.astype(next(fits, np.int32))


def check_label_map(
    labels: np.ndarray, size: tuple[int, int] | None = None, classes: int | None = None, ignore_index: int = 255
) -> None:
    """Refuse what is not a map of class indices.

    Args:
        labels: (h, w) whole numbers.
        size: Height and width of the image.
        classes: Number of classes.
        ignore_index: Label of void pixels.

    Raises:
        ValueError: Of another size than the image, or with values that are not a class, each with its number of pixels.

    Example:
        >>> check_label_map(np.array([[0, 255, 1]], np.uint8), (1, 3), classes=2)
    """
    if labels.ndim != 2:
        raise ValueError(f"it has shape {labels.shape}: expected one class index per pixel, (height, width).")
    if size is not None and labels.shape != tuple(size):
        raise ValueError(
            f"it has {labels.shape[1]}x{labels.shape[0]} pixels, its image {size[1]}x{size[0]}: one of the two files"
            " was resized or turned."
        )
    if classes is not None:
        wrong = wrong_labels(count_labels(labels), classes, ignore_index)
        if wrong:
            raise ValueError(
                f"it holds {described_labels(wrong)}: expected 0 to {classes - 1}, one per class, and {ignore_index}"
                " for void. Name all classes of the data set in `classes`, or correct the file."
            )


def count_labels(labels: np.ndarray) -> dict[int, int]:
    """Number of pixels of each value.

    Example:
        >>> count_labels(np.array([[0, 255, 0]], np.uint8))
        {0: 2, 255: 1}
    """
    if labels.dtype == np.uint8:
        counts = np.bincount(labels.ravel(), minlength=1)
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    values, pixels = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), pixels.tolist(), strict=True))


def wrong_labels(pixels: Mapping[int, int], classes: int, ignore_index: int = 255) -> dict[int, int]:
    """The values that are neither class nor void, and their pixels.

    Args:
        pixels: Number of pixels by value.
        classes: Number of classes.
        ignore_index: Value of void pixels.
    """
    return {v: count for v, count in pixels.items() if v != ignore_index and not 0 <= v < classes}


def described_labels(pixels: Mapping[int, int]) -> str:
    """Values with their pixels, for messages.

    Example:
        >>> described_labels({256: 607101})
        '256 (607,101 pixels)'
    """
    listed = [f"{value} ({count:,} pixels)" for value, count in sorted(pixels.items())]
    return ", ".join(listed[:6]) + (", ..." if len(listed) > 6 else "")


def write_prediction(path: str | Path, labels: np.ndarray) -> None:
    """Write ``(h, w)`` class indices up to 255 as gray PNG, as ``mmseg.IoUMetric(output_dir=...)`` does.

    Raises:
        ValueError: If a label does not fit into one byte.
    """
    if labels.size and not 0 <= labels.min() <= labels.max() <= MAX_LABEL:
        raise ValueError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into one byte per pixel.")
    with whole_file(path) as part, part.open("wb") as file:
        Image.fromarray(labels.astype(np.uint8)).save(file, "PNG")


def _short(values: np.ndarray) -> str:
    several = [str(value) for value in np.unique(values)]
    return ", ".join(several[:6]) + (", ..." if len(several) > 6 else "")
