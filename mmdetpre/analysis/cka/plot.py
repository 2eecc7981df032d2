"""Heat map of the similarity of layers of two networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mmdetpre.plotting.plain_figure import PlainFigure

_INK = "#20242a"
_MAX_NUMBERS = 16  # layers of a network up to which every cell shows its number


def draw_layer_similarity(
    cka: np.ndarray, names: Sequence[str], layers: Sequence[Sequence[str]], *, title: str = ""
) -> Figure:
    """CKA of every pair of layers as colour, from 0 to 1, and as a number.

    Args:
        cka: (A, B) values, see :func:`~mmdetpre.analysis.cka.cka.layer_cka`.
        names: Names of the two networks.
        layers: Names of the A layers of the first, drawn from the bottom to the top, and of the B of the second.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> len(draw_layer_similarity(np.eye(2), ["a", "b"], [["conv5", "fc1"]] * 2).axes)  # the map and its scale
        2
    """
    rows, columns = cka.shape
    cell = 0.72 if max(rows, columns) <= _MAX_NUMBERS else 0.3
    labels = [0.085 * max(map(len, of_network)) for of_network in layers]
    size = (max(columns * cell + labels[0] + 2.0, 4.6), max(rows * cell + labels[1] * 0.75 + 1.4, 3.2))
    figure = PlainFigure(figsize=size, dpi=130, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axis = figure.subplots()
    image = axis.imshow(cka, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="equal")
    axis.set_xticks(range(columns), layers[1], rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(rows), layers[0])
    axis.set_xlabel(names[1], color=_INK)
    axis.set_ylabel(names[0], color=_INK)
    axis.tick_params(length=0, colors=_INK)
    for spine in axis.spines.values():
        spine.set_visible(False)
    if max(rows, columns) <= _MAX_NUMBERS:
        for row in range(rows):
            for column in range(columns):
                ink = "black" if cka[row, column] > 0.6 else "white"
                axis.text(
                    column,
                    row,
                    f"{round(cka[row, column], 2) + 0:.2f}",
                    ha="center",
                    va="center",
                    color=ink,
                    fontsize=9,
                )
    bar = figure.colorbar(image, ax=axis, fraction=0.05, pad=0.03)
    bar.set_label("linear CKA", color=_INK)
    bar.outline.set_visible(False)
    axis.set_title(title or "Similarity of layers", color=_INK, fontsize=12, fontweight="bold")
    return figure
