"""The picture that explains chips: an image with its chips, and the chips as the detector sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from mmdetpre.plotting.palette import IGNORED, VALID, scale_color, unit
from mmdetpre.plotting.style import INK, new_figure

# Places in inches, from the lower left corner.
_FIGURE = (13.0, 6.0)
_LEFT = (0.2, 5.9)
_RIGHT = (6.3, 12.8)
_TOP, _BOTTOM = 5.9, 0.5
_HEADING, _GAP, _NUMBER = 0.38, 0.1, 0.2

_SMALLEST_TAGGED = 0.15  # of the chip's width: a name on a smaller box would hide it


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
        negative: Mined for false proposals.
    """

    scale: int
    window: tuple[float, float, float, float]
    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    flipped: bool = False
    negative: bool = False


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
    figure = new_figure(*_FIGURE, 120, None)
    _draw_whole(figure, image, boxes, chips, title)
    per_scale = [[k for k, chip in enumerate(chips) if chip.scale == s] for s in range(len(scale_titles))]
    counts = [min(len(indices), max_per_scale) for indices in per_scale]
    columns, cell = _largest_cells(counts)
    y = _TOP
    for scale, (indices, count) in enumerate(zip(per_scale, counts, strict=True)):
        number = f"{len(indices)} chip{'' if len(indices) == 1 else 's'}"
        more = f", {len(indices) - count} more on the left" if len(indices) > count else ""
        color = unit(scale_color(scale))
        place: dict[str, Any] = dict(x=_RIGHT[0] / _FIGURE[0], y=(y - 0.05) / _FIGURE[1], va="top")
        figure.text(s=f"{scale_titles[scale]}  ({number}{more})", color=color, fontsize=11, fontweight="bold", **place)
        y -= _HEADING
        for position, k in enumerate(indices[:count]):
            left = _RIGHT[0] + position % columns * (cell + _GAP)
            bottom = y - position // columns * (cell + _NUMBER + _GAP) - cell
            _draw_chip(_axis(figure, left, bottom, cell, cell, anchor="NW"), k + 1, chips[k], classes)
        y -= -(-count // columns) * (cell + _NUMBER + _GAP)
    _draw_legend(figure, sorted({chip.scale for chip in chips}), any(chip.negative for chip in chips))
    return figure


def _largest_cells(counts: Sequence[int]) -> tuple[int, float]:
    """Columns, and the side in inches, of the largest square cells in which all chips find room."""
    best = (1, 0.0)
    for columns in range(1, max(1, *counts) + 1):
        rows = sum(-(-count // columns) for count in counts)
        height = _TOP - _BOTTOM - len(counts) * _HEADING
        cell = min((_RIGHT[1] - _RIGHT[0]) / columns - _GAP, height / max(rows, 1) - _NUMBER - _GAP)
        best = max(best, (columns, cell), key=lambda choice: choice[1])
    return best


def _axis(figure: Figure, left: float, bottom: float, width: float, height: float, anchor: str) -> Axes:
    """An axis at a place given in inches."""
    place = (left / _FIGURE[0], bottom / _FIGURE[1], width / _FIGURE[0], height / _FIGURE[1])
    axis = figure.add_axes(place, anchor=anchor)
    axis.set_axis_off()
    return axis


def _draw_legend(figure: Figure, scales: Sequence[int], negative: bool) -> None:
    rim = [withStroke(linewidth=3.6, foreground="black")]
    valid: dict[str, Any] = dict(color=unit(VALID), lw=1.8, path_effects=rim)
    ignored: dict[str, Any] = dict(color=unit(IGNORED), lw=1.8, ls=(0, (2, 1.2)), path_effects=rim)
    handles = [Line2D([], [], color=unit(scale_color(s)), lw=3, label=f"chip of scale {s + 1}") for s in scales]
    if negative:
        handles.append(Line2D([], [], color=INK, lw=3, ls=(0, (2.5, 1.5)), label="negative chip"))
    handles.append(Line2D([], [], label="valid box: learned in this chip", **valid))
    handles.append(Line2D([], [], label="ignored box: neither object nor background here", **ignored))
    size = 10 if len(handles) < 6 else 8.5  # one line within the figure
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), fontsize=size, frameon=False, handlelength=2.6
    )


def _draw_whole(figure: Figure, image: np.ndarray, boxes: np.ndarray, chips: Sequence[ChipView], title: str) -> None:
    axis = _axis(figure, _LEFT[0], _BOTTOM, _LEFT[1] - _LEFT[0], _TOP - _HEADING - _BOTTOM, anchor="N")
    center = (_LEFT[0] + _LEFT[1]) / 2 / _FIGURE[0]
    heading: dict[str, Any] = dict(color=INK, fontsize=11, fontweight="bold", ha="center", va="top")
    figure.text(center, (_TOP - 0.05) / _FIGURE[1], title, **heading)
    height, width = image.shape[:2]
    axis.imshow(image, extent=(0, width, height, 0), interpolation="lanczos")
    for box in boxes:
        _outline(axis, box, "white", 0.9)
    used: dict[tuple[int, int], int] = {}
    for number, chip in enumerate(chips, 1):
        inset = 0.006 * max(width, height) * (chip.scale + 0.5)  # equal chips of two scales stay both visible
        x1, y1, x2, y2 = chip.window
        window = (x1 + inset, y1 + inset, x2 - inset, y2 - inset)
        _outline(axis, window, unit(scale_color(chip.scale)), 2.6, dashed=chip.negative)
        corner = (round(x1), round(y1))
        shift = used.get(corner, 0)  # chips with one corner in common: their numbers side by side
        used[corner] = shift + 1
        _number(axis, f"{number}", (x1 + inset + shift * 0.06 * width, y1 + inset), chip.scale, va="top", fontsize=10)
    axis.set_xlim(-0.01 * width, 1.01 * width)
    axis.set_ylim(1.01 * height, -0.01 * height)


def _draw_chip(axis: Axes, number: int, chip: ChipView, classes: Sequence[str]) -> None:
    height, width = chip.image.shape[:2]
    color = unit(scale_color(chip.scale))
    axis.imshow(chip.image, extent=(0, width, height, 0), interpolation="lanczos")
    order = np.argsort(~chip.ignored, kind="stable")  # valid boxes on top
    for i in order:
        box, ignored = chip.boxes[i], bool(chip.ignored[i])
        edge = unit(IGNORED if ignored else VALID)
        _outline(axis, box, edge, 1.5, dashed=ignored)
        if box[2] - box[0] >= _SMALLEST_TAGGED * width:
            axis.text(
                box[0] + 0.01 * width, box[1] + 0.012 * height, classes[int(chip.labels[i])],
                color=edge, fontsize=8.5, va="top", clip_on=True,
                path_effects=[withStroke(linewidth=2, foreground="black")],
            )  # fmt: skip
    axis.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=color, linewidth=3.2))
    text = f"{number}{' negative' if chip.negative else ''}{' mirrored' if chip.flipped else ''}"
    _number(axis, text, (0, 1.02 * height), chip.scale, va="top", fontsize=8.5)  # below: nothing in the chip is hidden
    axis.set_xlim(0, width)
    axis.set_ylim(height, 0)


def _outline(axis: Axes, box: Sequence[float], color: object, width: float, dashed: bool = False) -> None:
    x1, y1, x2, y2 = (float(v) for v in box)
    patch = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linewidth=width)
    if dashed:
        patch.set_linestyle((0, (2.5, 1.5)))
    patch.set_path_effects([withStroke(linewidth=width + 1.4, foreground=(0, 0, 0, 0.65))])
    axis.add_patch(patch)


def _number(axis: Axes, text: str, place: tuple[float, float], scale: int, **style: Any) -> None:
    plate = dict(boxstyle="square,pad=0.15", facecolor=unit(scale_color(scale)), edgecolor="none")
    axis.text(*place, f" {text} ", color="white", fontweight="bold", bbox=plate, **style)
