"""Heat map of the similarity of layers of two networks."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mmdetpre.analysis.cka.cka import LayerSimilarity
from mmdetpre.plotting.style import HEADLINE, INK, new_figure

_MAX_NUMBERS = 16  # layers of a network up to which every cell shows its number


def draw_layer_similarity(result: LayerSimilarity, *, title: str = "") -> Figure:
    """CKA of every pair of layers as color, from 0 to 1, and as a number.

    Args:
        result: The similarity; layers of the first network go from the bottom to the top.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.
    """
    (first, second), cka = result.runs, result.cka
    rows, columns = cka.shape
    cell = 0.72 if max(rows, columns) <= _MAX_NUMBERS else 0.3
    labels = [0.085 * max(map(len, run.layers)) for run in result.runs]
    size = (max(columns * cell + labels[0] + 2.0, 4.6), max(rows * cell + labels[1] * 0.75 + 1.4, 3.2))
    figure = new_figure(*size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axis = figure.subplots()
    image = axis.imshow(cka, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="equal")
    axis.set_xticks(range(columns), second.layers, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(rows), first.layers)
    axis.set_xlabel(second.name, color=INK)
    axis.set_ylabel(first.name, color=INK)
    axis.tick_params(length=0, colors=INK)
    axis.spines[:].set_visible(False)
    if max(rows, columns) <= _MAX_NUMBERS:
        for (row, column), value in np.ndenumerate(cka):
            ink = "black" if value > 0.6 else "white"
            axis.text(column, row, f"{round(value, 2) + 0:.2f}", ha="center", va="center", color=ink, fontsize=9)
    bar = figure.colorbar(image, ax=axis, fraction=0.05, pad=0.03)
    bar.set_label("linear CKA", color=INK)
    bar.outline.set_visible(False)
    axis.set_title(title or "Similarity of layers", **HEADLINE)
    return figure
