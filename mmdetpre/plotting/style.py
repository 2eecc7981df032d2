"""The look that all plots share: ink, figures and axes."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdetpre.plotting.plain_figure import PlainFigure

INK, GRAY, GRID = "#20242a", "#8a9099", "#e4e7ea"
HEADLINE: dict[str, Any] = {"color": INK, "fontsize": 12, "fontweight": "bold"}
"""How the headline of a figure is written."""


def new_figure(width: float, height: float, dpi: int = 130, layout: Any = "constrained") -> Figure:
    """A white figure in which names are names.

    Args:
        width, height: In inches.
        dpi: Pixels per inch.
        layout: Layout engine of matplotlib; None: axes are placed by hand.
    """
    return PlainFigure(figsize=(width, height), dpi=dpi, facecolor="white", layout=layout)


def style_axes(axis: Axes, xlabel: str = "", ylabel: str = "") -> None:
    """Horizontal grid lines behind the curves, axes on the left and at the bottom only.

    Args:
        axis: The axes.
        xlabel, ylabel: Their labels.
    """
    axis.set_xlabel(xlabel, color=INK)
    axis.set_ylabel(ylabel, color=INK)
    axis.grid(axis="y", color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    for side, spine in axis.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRAY)
    axis.tick_params(colors=INK)


def shorten(text: str, most: int, end: int = 0) -> str:
    """A text of at most ``most`` characters.

    Args:
        text: The text.
        most: Length from which on its middle is left out.
        end: Characters that are kept at the end, such as a file's suffix.

    Example:
        >>> shorten("a very long class name", 12), shorten("a_very_long_name.jpg", 18, 8)
        ('a very lo...', 'a_very_...name.jpg')
    """
    return text if len(text) <= most else f"{text[: most - 3 - end]}...{text[len(text) - end :]}"
