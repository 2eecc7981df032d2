"""Label maps, one class index per pixel: what they must be, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MAX_LABEL = 255  # of a file with one byte per pixel


def check_shapes(truth: np.ndarray, prediction: np.ndarray) -> None:
    """Raise ``ValueError`` unless both are ``(h, w)`` of one size."""
    if truth.ndim != 2:
        raise ValueError(
            f"the label map has shape {tuple(truth.shape)}, expected (height, width): colour files must be converted to"
            " one class index per pixel, and palette files read without their palette (imdecode_backend='pillow')."
        )
    if truth.shape != prediction.shape:
        raise ValueError(
            f"the label map has shape {tuple(truth.shape)} and the prediction {tuple(prediction.shape)}: predictions"
            " are compared at the size of the image file, so its label file needs the same size, and the test pipeline"
            " must load annotations after Resize."
        )


def wrong_values(truth: np.ndarray, prediction: np.ndarray, classes: int, ignore_index: int) -> str:
    """What to say of values that are no class; empty if all are."""
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
    """``(h, w)`` uint8 of a PNG with one byte per pixel, grey or with a palette.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no picture, or a picture in colour.
    """
    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
            mode = image.mode
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no label map {path}.") from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as a label map ({error}).") from None
    if mode not in ("L", "P"):
        raise ValueError(
            f"{path} is a picture of mode {mode}: a label map holds one class index per pixel, in grey (mode L) or with"
            " a palette (P). Convert colours to class indices."
        )
    return labels


def write_prediction(path: str | Path, labels: np.ndarray) -> None:
    """Write ``(h, w)`` class indices up to 255 as grey PNG, as ``mmseg.IoUMetric(output_dir=...)`` does."""
    if labels.size and not 0 <= labels.min() <= labels.max() <= MAX_LABEL:
        raise ValueError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into one byte per pixel.")
    Image.fromarray(labels.astype(np.uint8)).save(path)


def _short(values: np.ndarray) -> str:
    several = [str(value) for value in np.unique(values)]
    return ", ".join(several[:6]) + (", ..." if len(several) > 6 else "")
