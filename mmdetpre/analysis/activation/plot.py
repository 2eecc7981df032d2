"""Where a layer is active in an image, for several checkpoints (paper, Figure 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from mmdetpre.analysis.activation.report import ActivationReport
from mmdetpre.plotting.style import HEADLINE, INK, new_figure, shorten

COLORMAP = "inferno"
_SIDE, _TALLEST, _TITLE, _HEAD, _GAP, _BAR = 2.9, 3.2, 0.3, 0.45, 0.1, 1.0  # inches


def draw_activation_maps(report: ActivationReport, *, overlay: float = 0.0, title: str = "") -> Figure:
    """A row per image: the image, then the colored map of each checkpoint.

    Args:
        report: What was found, with the maps.
        overlay: How much of the image shows through the maps, from 0 to below 1.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If there is no image, the report was read from a file, which holds no maps, or ``overlay`` is out of
            range.
    """
    images = report.images
    if not images:
        raise ValueError("There is no image to draw: give at least one.")
    check_overlay(overlay)
    pixels = [image.pixels for image in images if image.pixels is not None]
    if len(pixels) < len(images):
        raise ValueError("The maps are not in the file of the numbers: run activation_maps again.")
    columns = 1 + len(images[0].maps)
    aspects = [shown.shape[1] / shown.shape[0] for shown in pixels]
    heights = [min(_SIDE / aspect, _TALLEST) for aspect in aspects]
    width = columns * (_SIDE + _GAP) + _GAP + _BAR
    total = _HEAD + sum(heights) + len(images) * (_TITLE + _GAP)
    figure = new_figure(width, total, 110, None)
    top = total - _HEAD
    names = _names([Path(image.name) for image in images])
    for row, (image, height, aspect) in enumerate(zip(images, heights, aspects, strict=True)):
        top -= _TITLE + height
        side = height * aspect
        pictures = [pixels[row], *(colored(one, pixels[row], overlay) for one in image.maps.values())]
        for column, picture in enumerate(pictures):
            left = _GAP + column * (_SIDE + _GAP) + (_SIDE - side) / 2
            axis = figure.add_axes((left / width, top / total, side / width, height / total))
            axis.imshow(picture)
            axis.set_axis_off()
            if column == 0:
                axis.set_title(shorten(names[row], 34, 9), color=INK, fontsize=9, pad=4)
            elif row == 0:
                axis.set_title(list(image.maps)[column - 1], color=INK, fontsize=10, fontweight="bold", pad=4)
        top -= _GAP
    axis = figure.add_axes(
        ((width - 0.78) / width, (total - _HEAD - _TITLE - heights[0]) / total, 0.14 / width, heights[0] / total)
    )
    bar = figure.colorbar(ScalarMappable(Normalize(0, 255), COLORMAP), cax=axis, ticks=[0, 255])
    bar.ax.set_yticklabels(["lowest", "highest"], color=INK, fontsize=8.5)
    bar.outline.set_visible(False)
    figure.suptitle(
        title or "Mean activation over the channels, each map on its own scale",
        **HEADLINE, y=1 - 0.12 / total, va="top",
    )  # fmt: skip
    return figure


def check_overlay(overlay: float) -> None:
    """``ValueError`` if it does not leave something of the map.

    Raises:
        ValueError: If it is not from 0 to 1.
    """
    if not 0 <= overlay < 1:
        raise ValueError(f"overlay is {overlay:g}: give how much of the image shows, from 0 to below 1, such as 0.5.")


def colored(gray: np.ndarray, pixels: np.ndarray, overlay: float = 0.0) -> np.ndarray:
    """A gray map (H, W) uint8 in colors (H, W, 3) uint8, over its image (H, W, 3) uint8.

    Args:
        gray: (H, W) uint8 map.
        pixels: (H, W, 3) uint8 RGB image.
        overlay: Weight of the image, from 0 (only the map) to 1.

    Example:
        >>> colored(np.array([[255]], np.uint8), np.zeros((1, 1, 3), np.uint8)).tolist()
        [[[252, 255, 164]]]
    """
    colors = matplotlib.colormaps[COLORMAP](gray)[..., :3] * 255
    return np.rint((1 - overlay) * colors + overlay * pixels).astype(np.uint8)


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of files; with their folder, often the class, where two have one name."""
    names = [path.name for path in paths]
    return [path.name if names.count(path.name) == 1 else str(Path(path.parent.name, path.name)) for path in paths]
