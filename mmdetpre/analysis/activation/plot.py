"""Where a layer is active in an image, for several checkpoints (paper, Figure 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from mmdetpre.analysis.activation.report import ActiveImage
from mmdetpre.plotting.plain_figure import PlainFigure

COLOURS = "inferno"
_INK = "#20242a"
_SIDE, _TALLEST, _TITLE, _HEAD, _GAP, _BAR = 2.9, 3.2, 0.3, 0.45, 0.1, 1.0  # inches


def draw_activation_maps(images: Sequence[ActiveImage], *, overlay: float = 0.0, title: str = "") -> Figure:
    """A row per image: the image, then the coloured map of each checkpoint.

    Args:
        images: What was found, of the same checkpoints.
        overlay: How much of the image shows through the maps, from 0 to below 1.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If there is no image, or ``overlay`` is out of range.
    """
    if not images:
        raise ValueError("There is no image to draw: give at least one.")
    check_overlay(overlay)
    columns = 1 + len(images[0].maps)
    aspects = [image.pixels.shape[1] / image.pixels.shape[0] for image in images]
    heights = [min(_SIDE / aspect, _TALLEST) for aspect in aspects]
    width = columns * (_SIDE + _GAP) + _GAP + _BAR
    total = _HEAD + sum(heights) + len(images) * (_TITLE + _GAP)
    figure = PlainFigure(figsize=(width, total), dpi=110, facecolor="white")
    top = total - _HEAD
    names = _names([Path(image.name) for image in images])
    for row, (image, height, aspect) in enumerate(zip(images, heights, aspects, strict=True)):
        top -= _TITLE + height
        side = height * aspect
        pictures = [image.pixels, *(coloured(one, image.pixels, overlay) for one in image.maps.values())]
        for column, picture in enumerate(pictures):
            left = _GAP + column * (_SIDE + _GAP) + (_SIDE - side) / 2
            axis = figure.add_axes((left / width, top / total, side / width, height / total))
            axis.imshow(picture)
            axis.set_axis_off()
            if column == 0:
                axis.set_title(_short(names[row]), color=_INK, fontsize=9, pad=4)
            elif row == 0:
                axis.set_title(list(image.maps)[column - 1], color=_INK, fontsize=10, fontweight="bold", pad=4)
        top -= _GAP
    axis = figure.add_axes(
        ((width - 0.78) / width, (total - _HEAD - _TITLE - heights[0]) / total, 0.14 / width, heights[0] / total)
    )
    bar = figure.colorbar(ScalarMappable(Normalize(0, 255), COLOURS), cax=axis, ticks=[0, 255])
    bar.ax.set_yticklabels(["least", "most"], color=_INK, fontsize=8.5)
    bar.outline.set_visible(False)
    figure.suptitle(
        title or "Mean activation over the channels, each map on its own scale",
        color=_INK, fontsize=12, fontweight="bold", y=1 - 0.12 / total, va="top",
    )  # fmt: skip
    return figure


def check_overlay(overlay: float) -> None:
    """``ValueError`` if it is not a part of the image that leaves something of the map.

    Raises:
        ValueError: If it is not from 0 to 1.
    """
    if not 0 <= overlay < 1:
        raise ValueError(f"overlay is {overlay:g}: give how much of the image shows, from 0 to below 1, such as 0.5.")


def coloured(grey: np.ndarray, pixels: np.ndarray, overlay: float = 0.0) -> np.ndarray:
    """A grey map (H, W) uint8 in colours (H, W, 3) uint8, over its image (H, W, 3) uint8.

    Args:
        grey: (H, W) uint8 map.
        pixels: (H, W, 3) uint8 RGB image.
        overlay: Weight of the image, from 0 (only the map) to 1.

    Example:
        >>> coloured(np.array([[255]], np.uint8), np.zeros((1, 1, 3), np.uint8)).tolist()
        [[[252, 255, 164]]]
    """
    colours = matplotlib.colormaps[COLOURS](grey)[..., :3] * 255
    return np.rint((1 - overlay) * colours + overlay * pixels).astype(np.uint8)


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of files; with their folder, often the class, where two have one name."""
    names = [path.name for path in paths]
    return [path.name if names.count(path.name) == 1 else str(Path(path.parent.name, path.name)) for path in paths]


def _short(name: str, longest: int = 34) -> str:
    return name if len(name) <= longest else f"{name[: longest - 12]}...{name[-9:]}"
