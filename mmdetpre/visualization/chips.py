"""The picture that explains chips: an image with its chips, and the chips as the detector sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from mmdetpre.visualization.palette import IGNORED, VALID, scale_colour, unit

_INK = "#20242a"
_SMALLEST_TAGGED = 0.12  # of the chip's width: a name on a smaller box would hide it


class ChipView(NamedTuple):
    """One chip, ready to be drawn.

    Attributes:
        scale: Index of its scale, 0 is the finest.
        window: (x1, y1, x2, y2) in pixels of the original image.
        image: (h, w, 3) uint8 RGB, what the detector sees.
        boxes: (n, 4) x1, y1, x2, y2 in pixels of the chip.
        labels: (n,) class indices.
        ignored: (n,) bool: neither object nor background here.
        flipped: The augmentation mirrored it.
    """

    scale: int
    window: tuple[float, float, float, float]
    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    flipped: bool = False


def draw_chips(
    image: np.ndarray,
    boxes: np.ndarray,
    chips: Sequence[ChipView],
    scale_titles: Sequence[str],
    classes: Sequence[str],
    *,
    title: str = "",
    max_per_scale: int = 8,
) -> Figure:
    """One figure: left the image with its chips, right the chips, one block per scale.

    Args:
        image: (H, W, 3) uint8 RGB, the original.
        boxes: (n, 4) all boxes of the image, original pixels.
        chips: Its chips. Chip number i bears the same number on both sides.
        scale_titles: What to say about each scale, finest first.
        classes: Class names.
        title: Headline of the image.
        max_per_scale: More chips of a scale are outlined on the left only; the block says how many.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.
    """
    figure = Figure(figsize=(13, 6), dpi=110, facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.2), wspace=0.0)
    _draw_whole(left, image, boxes, chips, title)
    shown = [[k for k, chip in enumerate(chips) if chip.scale == s] for s in range(len(scale_titles))]
    columns = max(4, min(max(map(len, shown)), max_per_scale, 5))
    rows = [max(1, -(-min(len(indices), max_per_scale) // columns)) for indices in shown]
    blocks = np.atleast_1d(right.subfigures(len(scale_titles), 1, height_ratios=[r + 0.22 for r in rows]))
    for scale, (block, indices, n_rows) in enumerate(zip(blocks, shown, rows, strict=True)):
        more = f", {len(indices) - max_per_scale} more not shown" if len(indices) > max_per_scale else ""
        count = f"{len(indices)} chip{'s' if len(indices) != 1 else ''}{more}"
        block.text(
            0.01, 0.99, f"{scale_titles[scale]}   ·   {count}",
            color=unit(scale_colour(scale)), fontsize=10.5, fontweight="bold", va="top",
        )  # fmt: skip
        top = 1 - 0.19 / (n_rows + 0.22)
        axes = block.subplots(n_rows, columns, squeeze=False)
        block.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=top, wspace=0.05, hspace=0.07)
        for axis in axes.flat:
            axis.set_axis_off()
        for axis, k in zip(axes.flat, indices[:max_per_scale], strict=False):
            _draw_chip(axis, k + 1, chips[k], classes)
    return figure


def _draw_whole(area: SubFigure, image: np.ndarray, boxes: np.ndarray, chips: Sequence[ChipView], title: str) -> None:
    axis = area.subplots()
    area.subplots_adjust(left=0.03, right=0.97, bottom=0.12, top=0.93)
    height, width = image.shape[:2]
    axis.imshow(image, extent=(0, width, height, 0), interpolation="lanczos")
    for box in boxes:
        _outline(axis, box, "white", 0.9)
    used: dict[tuple[int, int], int] = {}
    for number, chip in enumerate(chips, 1):
        colour = unit(scale_colour(chip.scale))
        inset = 0.006 * max(width, height) * (chip.scale + 0.5)  # equal chips of two scales stay both visible
        x1, y1, x2, y2 = chip.window
        _outline(axis, (x1 + inset, y1 + inset, x2 - inset, y2 - inset), colour, 2.4)
        corner = (round(x1), round(y1))
        shift = used.get(corner, 0)
        used[corner] = shift + 1
        axis.text(
            x1 + inset + shift * 0.055 * width, y1 + inset, f" {number} ",
            color="white", fontsize=9, fontweight="bold", va="top",
            bbox=dict(boxstyle="square,pad=0.15", facecolor=colour, edgecolor="none"),
        )  # fmt: skip
    axis.set_xlim(-0.01 * width, 1.01 * width)
    axis.set_ylim(1.01 * height, -0.01 * height)
    axis.set_axis_off()
    axis.set_title(title, fontsize=10.5, color=_INK, fontweight="bold")
    scales = sorted({chip.scale for chip in chips})
    handles = [Line2D([], [], color=unit(scale_colour(s)), lw=2.6, label=f"chip, scale {s + 1}") for s in scales]
    outlined = [withStroke(linewidth=3.6, foreground="black")]
    handles += [
        Line2D([], [], color=unit(VALID), lw=1.8, path_effects=outlined, label="valid box: learned in this chip"),
        Line2D([], [], color=unit(IGNORED), lw=1.8, ls=(0, (2, 1.2)), path_effects=outlined, label="ignored box"),
    ]
    area.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=8.5, frameon=False, handlelength=2.6)


def _draw_chip(axis: Axes, number: int, chip: ChipView, classes: Sequence[str]) -> None:
    height, width = chip.image.shape[:2]
    colour = unit(scale_colour(chip.scale))
    axis.imshow(chip.image, extent=(0, width, height, 0), interpolation="lanczos")
    order = np.argsort(~chip.ignored, kind="stable")  # valid boxes on top
    for i in order:
        box, ignored = chip.boxes[i], bool(chip.ignored[i])
        edge = unit(IGNORED if ignored else VALID)
        _outline(axis, box, edge, 1.5, dashed=ignored)
        if box[2] - box[0] >= _SMALLEST_TAGGED * width:
            axis.text(
                box[0] + 0.01 * width, box[1] + 0.012 * height, classes[int(chip.labels[i])],
                color=edge, fontsize=7, va="top", clip_on=True,
                path_effects=[withStroke(linewidth=2, foreground="black")],
            )  # fmt: skip
    axis.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=colour, linewidth=3.2))
    axis.text(
        0, height, f" {number}{' mirrored' if chip.flipped else ''} ",
        color="white", fontsize=7.5, fontweight="bold", va="bottom",
        bbox=dict(boxstyle="square,pad=0.1", facecolor=colour, edgecolor="none"),
    )  # fmt: skip
    axis.set_xlim(0, width)
    axis.set_ylim(height, 0)


def _outline(axis: Axes, box: Sequence[float], colour: object, width: float, dashed: bool = False) -> None:
    x1, y1, x2, y2 = (float(v) for v in box)
    patch = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=width)
    if dashed:
        patch.set_linestyle((0, (2.5, 1.5)))
    patch.set_path_effects([withStroke(linewidth=width + 1.4, foreground=(0, 0, 0, 0.65))])
    axis.add_patch(patch)
