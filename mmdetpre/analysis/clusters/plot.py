"""Agreement of the clusters of two feature spaces over their number: Figure 6 of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mmdetpre.plotting.palette import run_colour, unit
from mmdetpre.plotting.plain_figure import PlainFigure

_INK, _GREY = "#20242a", "#8a9099"
_DASHES = (0, (4, 3))


def draw_cluster_agreement(result: Mapping[str, Any], *, title: str = "") -> Figure:
    """Both directions over the number of clusters: sampled values with their band, exact values, chance values.

    Numbers of clusters without any pair in one cluster are left out.

    Args:
        result: What :func:`~mmdetpre.analysis.clusters.agreement.compare_clusters` returns.
        title: Headline.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Source: Figure 6 of "An Analysis of Pre-Training on Object Detection".
    """
    figure = PlainFigure(figsize=(7.6, 5.0), dpi=130, facecolor="white", layout="constrained")
    axis = figure.subplots()
    for number, way in enumerate(result["directions"]):
        colour, mark = unit(run_colour(number)), "os"[number % 2]
        axis.fill_between(result["k"], _percent(way["low"]), _percent(way["high"]), color=colour, alpha=0.25, lw=0)
        axis.plot(
            result["k"], _percent(way["sampled"]), color=colour, linewidth=2, zorder=3,
            label=f"together in {way['from']}: also in {way['to']}",
        )  # fmt: skip
        axis.plot(
            result["k"], _percent(way["exact"]), color=colour, linestyle="none", marker=mark, markersize=5.5,
            markerfacecolor="white", zorder=4,
        )  # fmt: skip
        axis.plot(result["k"], _percent(way["chance"]), color=colour, linewidth=1.2, linestyle=_DASHES)
    axis.plot([], [], color=_GREY, marker="o", markerfacecolor="white", linestyle="none", label="exact, of all pairs")
    band = f"{result['samples']:,} sampled pairs, {100 * result['confidence']:g} % band"
    axis.plot([], [], color=_GREY, linewidth=5, alpha=0.4, label=band)
    axis.plot([], [], color=_GREY, linewidth=1.2, linestyle=_DASHES, label="chance")
    axis.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if k <= max(result["k"])]
    axis.set_xticks([k for k in ticks if k >= min(result["k"])] or [result["k"][0]])
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_ylim(bottom=0)
    axis.set_xlabel("number of clusters", color=_INK)
    axis.set_ylabel("pairs of one cluster that share one in the other space (%)", color=_INK)
    axis.grid(axis="y", color="#e4e7ea", linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(_GREY)
    axis.tick_params(colors=_INK)
    axis.legend(framealpha=0.85, edgecolor="none", fontsize=9, loc="best")
    axis.set_title(title or "Do two feature spaces cluster alike?", color=_INK, fontsize=12, fontweight="bold")
    return figure


def _percent(values: Sequence[float | None]) -> np.ndarray:
    return 100 * np.array(values, float)
