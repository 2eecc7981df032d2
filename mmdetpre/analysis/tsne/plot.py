"""Maps of the same images in several feature spaces, with a few classes coloured (paper, Figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmdetpre.plotting.plain_figure import PlainFigure

_INK, _GREY, _OTHERS = "#20242a", "#c9ced4", "#d5d9de"
_COLOURS = [colour for i, colour in enumerate(matplotlib.color_sequences["tab10"]) if i != 7]  # without grey
_MARKERS = "o^sDv"
MOST_CLASSES = len(_COLOURS) * len(_MARKERS)
"""So many classes can be distinguished, by colour and shape."""
_SIDE, _LEGEND = 5.2, 2.1  # inches


def draw_tsne_maps(
    maps: Mapping[str, np.ndarray],
    labels: np.ndarray,
    classes: Sequence[str],
    shown: Sequence[int],
    *,
    title: str = "",
) -> Figure:
    """One map per feature space, side by side; an image has the same colour and shape in all of them.

    Args:
        maps: Name and points (n, 2) of each map, of the same images.
        labels: (n,) classes of the images.
        classes: Names of the classes; may be empty.
        shown: Classes to colour, in this order; all other images are light grey.
        title: Headline; by default it counts images and classes.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If more classes are to be shown than can be distinguished.

    Example:
        >>> points = np.array([[0, 0], [1, 0], [0, 1.0]])
        >>> len(draw_tsne_maps({"a": points, "b": points}, np.array([0, 1, 1]), ["cat", "dog"], [1]).axes)
        2
    """
    check_shown(shown)
    names = list(classes) or [f"class {i}" for i in range(int(labels.max()) + 1)]
    figure = PlainFigure(figsize=(_SIDE * len(maps) + _LEGEND, _SIDE + 0.5), dpi=130, facecolor="white")
    figure.set_layout_engine("constrained")
    axes = figure.subplots(1, len(maps), squeeze=False)[0]
    for axis, (name, points) in zip(axes, maps.items(), strict=True):
        _draw_map(axis, points, labels, shown)
        axis.set_title(name, color=_INK, fontsize=11)
    handles = [
        Line2D([], [], linestyle="", marker=_marker(place), color=_colour(place), markersize=6, label=names[label])
        for place, label in enumerate(shown)
    ]
    if not np.isin(labels, shown).all():
        handles.append(Line2D([], [], linestyle="", marker="o", color=_OTHERS, markersize=5, label="other images"))
    figure.legend(
        handles=handles, loc="outside right center", frameon=False, fontsize=9, labelcolor=_INK,
        ncols=1 + len(handles) // 26, handletextpad=0.2,
    )  # fmt: skip
    figure.suptitle(
        title or f"t-SNE of {len(labels)} images, {len(shown)} classes coloured",
        color=_INK, fontsize=12, fontweight="bold",
    )  # fmt: skip
    return figure


def check_shown(shown: Sequence[int]) -> None:
    """``ValueError`` if there are more classes than can be distinguished.

    Raises:
        ValueError: If there are more classes than colours.
    """
    if len(shown) > MOST_CLASSES:
        raise ValueError(
            f"{len(shown)} classes are to be coloured, and {MOST_CLASSES} can be told apart: choose fewer (--classes)."
        )


def _draw_map(axis: Axes, points: np.ndarray, labels: np.ndarray, shown: Sequence[int]) -> None:
    size = float(np.clip(9000 / len(points), 6, 30))
    others = ~np.isin(labels, shown)
    axis.scatter(points[others, 0], points[others, 1], s=0.6 * size, color=_OTHERS, linewidths=0)
    coloured = np.flatnonzero(~others)
    # in the order of the images, not class by class: no class covers all others
    for rows in np.array_split(coloured, max(1, min(20, len(coloured) // 50))):
        for place, label in enumerate(shown):
            here = rows[labels[rows] == label]
            axis.scatter(
                points[here, 0], points[here, 1], s=size, color=[_colour(place)], marker=_marker(place), linewidths=0.3,
                edgecolors="white",
            )  # fmt: skip
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.04)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_color(_GREY)


def _colour(place: int) -> tuple[float, float, float]:
    return _COLOURS[place % len(_COLOURS)]


def _marker(place: int) -> str:
    return _MARKERS[place // len(_COLOURS)]
