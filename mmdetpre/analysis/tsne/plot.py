"""Maps of the same images in several feature spaces, with a few classes colored (paper, Figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmdetpre.analysis.tsne.table import TsneMaps, check_shown
from mmdetpre.plotting.style import HEADLINE, INK, new_figure

_FRAME, _OTHERS = "#c9ced4", "#d5d9de"
_COLORS = [color for i, color in enumerate(matplotlib.color_sequences["tab10"]) if i != 7]  # without gray
_MARKERS = "o^sDv"
_SIDE, _LEGEND = 5.2, 2.1  # inches


def draw_tsne_maps(result: TsneMaps, *, title: str = "") -> Figure:
    """One map per feature space, side by side; an image has the same color and shape in all of them.

    Args:
        result: The maps; images of other classes than those shown are light gray.
        title: Headline; by default it counts images and classes.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If more classes are to be shown than can be distinguished.
    """
    check_shown(len(result.shown))
    labels = np.array(result.labels)
    figure = new_figure(_SIDE * len(result.maps) + _LEGEND, _SIDE + 0.5)
    axes = figure.subplots(1, len(result.maps), squeeze=False)[0]
    for axis, (name, one) in zip(axes, result.maps.items(), strict=True):
        _draw_map(axis, one.points, labels, result.shown)
        axis.set_title(name, color=INK, fontsize=11)
    handles = [
        Line2D(
            [], [], linestyle="", marker=_marker(place), color=_color(place), markersize=6,
            label=result.classes[label] if result.classes else f"class {label}",
        )
        for place, label in enumerate(result.shown)
    ]  # fmt: skip
    if not np.isin(labels, result.shown).all():
        handles.append(Line2D([], [], linestyle="", marker="o", color=_OTHERS, markersize=5, label="other images"))
    figure.legend(
        handles=handles, loc="outside right center", frameon=False, fontsize=9, labelcolor=INK,
        ncols=1 + len(handles) // 26, handletextpad=0.2,
    )  # fmt: skip
    figure.suptitle(title or f"t-SNE of {len(labels)} images, {len(result.shown)} classes colored", **HEADLINE)
    return figure


def _draw_map(axis: Axes, points: np.ndarray, labels: np.ndarray, shown: Sequence[int]) -> None:
    size = float(np.clip(9000 / len(points), 6, 30))
    others = ~np.isin(labels, shown)
    axis.scatter(points[others, 0], points[others, 1], s=0.6 * size, color=_OTHERS, linewidths=0)
    colored = np.flatnonzero(~others)
    # in the order of the images, not class by class: no class hides all others
    for rows in np.array_split(colored, max(1, min(20, len(colored) // 50))):
        for place, label in enumerate(shown):
            here = rows[labels[rows] == label]
            axis.scatter(
                points[here, 0], points[here, 1], s=size, color=[_color(place)], marker=_marker(place), linewidths=0.3,
                edgecolors="white",
            )  # fmt: skip
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.04)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_color(_FRAME)


def _color(place: int) -> tuple[float, float, float]:
    return _COLORS[place % len(_COLORS)]


def _marker(place: int) -> str:
    return _MARKERS[place // len(_COLORS)]
