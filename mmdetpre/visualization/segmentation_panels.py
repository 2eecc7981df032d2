"""Image, truth and the segmentations of several runs side by side (paper, Figure 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmdetpre.plotting.palette import RGB, unit
from mmdetpre.plotting.style import INK, new_figure

VOID_COLOR: RGB = (228, 228, 228)

_GRAY = "#5c636b"
_WIDTH = 14.0
_HEAD, _FOOT, _TEXT, _GAP, _LINE, _TALLEST = 0.36, 0.12, 0.24, 0.1, 0.26, 3.6  # inches
_LETTER = 0.095


class SegmentedImage(NamedTuple):
    """One image with its truth and the predictions of all runs.

    Attributes:
        name: Its id.
        image: (h, w, 3) uint8 RGB.
        truth: (h, w) label map.
        predictions: (h, w) label map of each run.
        scores: mIoU of each run in this image, 0 to 1; NaN where all is void.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    predictions: Sequence[np.ndarray]
    scores: Sequence[float]


def color_labels(
    labels: np.ndarray, palette: np.ndarray, *, ignore_index: int = 255, image: np.ndarray | None = None,
    opacity: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """A label map in colour; void is light grey.

    Args:
        labels: (h, w) class indices, or ``ignore_index``.
        palette: (classes, 3) uint8 RGB.
        ignore_index: The label of void pixels.
        image: (h, w, 3) uint8 RGB to lay the colours over, or None.
        opacity: Of the colours over the image, 0 to 1.

    Returns:
        (h, w, 3) uint8 RGB.

    Example:
        >>> color_labels(np.array([[1, 255]]), np.array([[0, 0, 0], [128, 0, 0]], np.uint8)).tolist()
        [[[128, 0, 0], [228, 228, 228]]]
    """
    void = labels == ignore_index
    colors = palette[np.where(void, 0, labels)]
    colors[void] = VOID_COLOR
    if image is None or opacity == 1:
        return colors
    return np.round(opacity * colors + (1 - opacity) * image).astype(np.uint8)


def draw_segmentations(
    images: Sequence[SegmentedImage],
    run_names: Sequence[str],
    classes: Sequence[str],
    palette: np.ndarray,
    *,
    ignore_index: int = 255,
    opacity: float = 1.0,
) -> Figure:
    """One row per image: the image, the truth, one panel per run with its mIoU; below, the classes that occur.

    Args:
        images: What to draw, row by row.
        run_names: Names of the runs.
        classes: Class names.
        palette: (classes, 3) uint8 RGB.
        ignore_index: The label of void pixels.
        opacity: Of the colours over the image, 0 to 1; with 1 the image does not show through.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If there is no image, or the opacity is out of its range.

    Source: Figure 3 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> labels = np.zeros((32, 48), int)
        >>> image = SegmentedImage("a", np.zeros((32, 48, 3), np.uint8), labels, [labels], [1.0])
        >>> len(draw_segmentations([image], ["scratch"], ["sky"], np.zeros((1, 3), np.uint8)).axes)
        3
    """
    if not images:
        raise ValueError("No images to draw: choose at least one.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"The opacity is {opacity}: expected a number from 0 to 1.")
    heads = ["image", "truth", *run_names]
    column = (_WIDTH - (len(heads) + 1) * _GAP) / len(heads)
    heights = [min(column * one.image.shape[0] / one.image.shape[1], _TALLEST) for one in images]
    legend, legend_height = _legend(images, classes, palette, ignore_index)
    total = _HEAD + sum(heights) + len(images) * (_TEXT + _GAP) + legend_height + _FOOT
    figure = new_figure(_WIDTH, total, 110, None)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / _WIDTH, y / total, text, ha="center", va="center", **style)

    centers = [_GAP + k * (column + _GAP) + column / 2 for k in range(len(heads))]
    for center, head in zip(centers, heads, strict=True):
        write(center, total - _HEAD / 2, head, color=INK, fontsize=12, fontweight="bold")
    top = total - _HEAD
    for one, height in zip(images, heights, strict=True):
        maps = (one.truth, *one.predictions)
        coloured = [
            color_labels(labels, palette, ignore_index=ignore_index, image=one.image, opacity=opacity)
            for labels in maps
        ]
        width = height * one.image.shape[1] / one.image.shape[0]
        texts = [one.name, "", *(f"mIoU {'-' if math.isnan(s) else f'{100 * s:.1f}'}" for s in one.scores)]
        for center, panel, text in zip(centers, [one.image, *coloured], texts, strict=True):
            place = ((center - width / 2) / _WIDTH, (top - height) / total, width / _WIDTH, height / total)
            axis = figure.add_axes(place)
            axis.imshow(panel, interpolation="antialiased", aspect="auto")
            axis.set_axis_off()
            write(center, top - height - _TEXT / 2, text, color=_GRAY, fontsize=9)
        top -= height + _TEXT + _GAP
    figure.legend(**legend)
    return figure


def _legend(
    images: Sequence[SegmentedImage], classes: Sequence[str], palette: np.ndarray, ignore_index: int
) -> tuple[dict, float]:
    """Arguments of the legend, and the inches it needs."""
    labels = np.unique(np.concatenate([np.unique(m) for one in images for m in (one.truth, *one.predictions)]))
    shown = [(classes[i], palette[i].tolist()) for i in labels.tolist() if i != ignore_index]
    if ignore_index in labels:
        shown.append(("void", VOID_COLOR))
    handles = [Patch(facecolor=unit(color), edgecolor=_GRAY, linewidth=0.6, label=name) for name, color in shown]
    longest = max(len(name) for name, _ in shown)
    columns = max(1, min(len(shown), int(_WIDTH / (0.75 + _LETTER * longest))))
    style = dict(loc="lower center", ncols=columns, fontsize=10, frameon=False, handlelength=1.6, handleheight=1.0)
    return dict(handles=handles, **style), _LINE * math.ceil(len(shown) / columns)
