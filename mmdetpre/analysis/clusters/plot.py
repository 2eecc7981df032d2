"""Agreement of the clusters of two feature spaces over their number: Figure 6 of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mmdetpre.analysis.clusters.agreement import ClusterAgreement
from mmdetpre.plotting.palette import run_color, unit
from mmdetpre.plotting.style import GRAY, HEADLINE, new_figure, style_axes

_DASHES = (0, (4, 3))


def draw_cluster_agreement(result: ClusterAgreement, *, title: str = "") -> Figure:
    """Both directions over the number of clusters: sampled values with their band, exact values, chance values.

    Numbers of clusters without any pair in one cluster are left out.

    Args:
        result: The agreement.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Source: Figure 6 of "An Analysis of Pre-Training on Object Detection".
    """
    figure = new_figure(7.6, 5.0)
    axis = figure.subplots()
    for number, way in enumerate(result.directions):
        color, mark = unit(run_color(number)), "os"[number % 2]
        axis.fill_between(result.k, _percent(way.low), _percent(way.high), color=color, alpha=0.25, lw=0)
        label = f"together in {way.start}: also in {way.end}"
        axis.plot(result.k, _percent(way.sampled), color=color, linewidth=2, zorder=3, label=label)
        axis.plot(
            result.k, _percent(way.exact), color=color, linestyle="none", marker=mark, markersize=5.5,
            markerfacecolor="white", zorder=4,
        )  # fmt: skip
        axis.plot(result.k, _percent(way.chance), color=color, linewidth=1.2, linestyle=_DASHES)
    axis.plot([], [], color=GRAY, marker="o", markerfacecolor="white", linestyle="none", label="exact, of all pairs")
    band = f"{result.samples:,} sampled pairs, {100 * result.confidence:g} % band"
    axis.plot([], [], color=GRAY, linewidth=5, alpha=0.4, label=band)
    axis.plot([], [], color=GRAY, linewidth=1.2, linestyle=_DASHES, label="chance")
    axis.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if k <= max(result.k)]
    axis.set_xticks([k for k in ticks if k >= min(result.k)] or [result.k[0]])
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_ylim(bottom=0)
    style_axes(axis, "number of clusters", "pairs of one cluster that share one in the other space (%)")
    axis.legend(framealpha=0.85, edgecolor="none", fontsize=9, loc="best")
    axis.set_title(title or "Do two feature spaces cluster alike?", **HEADLINE)
    return figure


def _percent(values: Sequence[float | None]) -> np.ndarray:
    return 100 * np.array(values, float)
