"""What classifiers lose when a part of an image is masked (paper, Figure 9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from mmdetpre.analysis.mask_out.mask_out import MaskOut
from mmdetpre.analysis.mask_out.report import MaskOutReport
from mmdetpre.plotting.palette import unit
from mmdetpre.plotting.style import HEADLINE, INK, new_figure, shorten

_SIDE, _BAR, _HEAD = 2.9, 1.0, 0.55  # inches
_LOWEST = (255, 92, 40)


def draw_masked_images(report: MaskOutReport, *, own_scale: bool = False, title: str = "") -> Figure:
    """A row per image: the image, then for each classifier the probability of its class.

    The value of a position is drawn at the center of the mask there, over a pale image; a frame shows the mask where
    the probability is lowest, on the image too if there is one classifier.

    Args:
        report: What was found, with the pixels of the images.
        own_scale: Color each map from its lowest to its highest probability, not from 0 to 1.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If there is no image, or the report was read from a file, which holds no pixels.
    """
    if not report.images:
        raise ValueError("There is no image to draw: give at least one.")
    columns = 1 + len(report.images[0].found)
    figure = new_figure(_SIDE * columns + _BAR, (_SIDE + 0.25) * len(report.images) + _HEAD, 110)
    axes = figure.subplots(len(report.images), columns, squeeze=False)
    drawn: Any = None
    for image, (first, *others) in zip(report.images, axes, strict=True):
        if image.pixels is None:
            raise ValueError(f"The pixels of {image.name} are not in the file of the numbers: run mask_out again.")
        height, width = image.pixels.shape[:2]
        first.imshow(image.pixels, extent=(0, width, height, 0))
        first.set_title(f"{image.label}\n{shorten(Path(image.name).name, 34, 9)}", color=INK, fontsize=9)
        for (name, found), axis in zip(image.found.items(), others, strict=True):
            axis.imshow(_pale(image.pixels), extent=(0, width, height, 0))
            drawn = _draw_map(axis, found, own_scale)
            low, high = float(found.probability.min()), float(found.probability.max())
            values = f"masked {low:.3f} to {high:.3f}" if own_scale else f"lowest {low:.3f}"
            axis.set_title(f"{name}\nunmasked {found.unmasked:.3f}, {values}", color=INK, fontsize=9)
        if len(image.found) == 1:
            _frame(first, next(iter(image.found.values())))
        for axis in (first, *others):
            axis.set_xlim(0, width)
            axis.set_ylim(height, 0)
            axis.set_aspect("equal")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
    bar = figure.colorbar(drawn, ax=axes[:, -1].tolist(), shrink=0.9 / len(report.images) ** 0.5, aspect=24)
    bar.set_label("probability of the class, mask centered here", color=INK, fontsize=9)
    if own_scale:
        bar.set_ticks(list(drawn.get_clim()), labels=["lowest", "highest"])
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.outline.set_visible(False)
    mask = next(iter(report.images[0].found.values())).mask
    figure.suptitle(title or f"Mask-out, blank square of {mask}x{mask} pixels", **HEADLINE)
    return figure


def _draw_map(axis: Axes, found: MaskOut, own_scale: bool) -> Any:
    edges = [_edges(starts + found.mask / 2) for starts in (found.xs, found.ys)]
    limits = (None, None) if own_scale else (0, 1)
    drawn = axis.pcolormesh(
        *edges, found.probability, vmin=limits[0], vmax=limits[1], cmap="viridis", edgecolors="none"
    )  # fmt: skip
    drawn.set_rasterized(True)
    _frame(axis, found)
    return drawn


def _frame(axis: Axes, found: MaskOut) -> None:
    patch = Rectangle(
        (found.lowest.x, found.lowest.y), found.mask, found.mask, fill=False, edgecolor=unit(_LOWEST), linewidth=1.8
    )
    patch.set_path_effects([withStroke(linewidth=3.2, foreground=(1, 1, 1, 0.8))])
    axis.add_patch(patch)


def _pale(pixels: np.ndarray) -> np.ndarray:
    """The picture in light gray, for where no mask is centered."""
    gray = pixels.mean(axis=2, keepdims=True)
    return np.repeat(255 - 0.3 * (255 - gray), 3, axis=2).astype(np.uint8)


def _edges(centers: np.ndarray) -> np.ndarray:
    """Edges of cells around rising centers, half way between them."""
    if len(centers) == 1:
        return np.array([centers[0] - 0.5, centers[0] + 0.5])
    middle = (centers[:-1] + centers[1:]) / 2
    return np.concatenate([[2 * centers[0] - middle[0]], middle, [2 * centers[-1] - middle[-1]]])
