"""mIoU of several runs over the width of the trimap, inside and outside it: Figure 4 of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mmdetpre.evaluation.trimap.scores import TrimapScores
from mmdetpre.plotting.palette import run_colour, unit
from mmdetpre.plotting.plain_figure import PlainFigure

_INK, _GREY = "#20242a", "#8a9099"
_MARKERS = "osD^v"
_MAX_MARKERS = 25


def draw_trimap_curves(runs: Sequence[TrimapScores], *, title: str = "") -> Figure:
    """Left the mIoU of every run in the trimap over its width, right the one in the anti-trimap.

    A line without marks is the mIoU of whole images, the trimap of infinite width. Widths without a scored pixel are
    left out.

    Args:
        runs: Scores of each run, comparable ones.
        title: Headline; by default it names the boundary.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Source: Figure 4 of "An Analysis of Pre-Training on Object Detection".
    """
    figure = PlainFigure(figsize=(11.0, 4.6), dpi=130, facecolor="white", layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    widths = np.array(runs[0].widths)
    titles = {"trimap": "Trimap: near boundaries", "anti_trimap": "Anti-trimap: away from boundaries"}
    for axis, (region, headline) in zip(axes, titles.items(), strict=True):
        for i, run in enumerate(runs):
            values = np.array(run.band(region).mean_iou, float) * 100
            marker = _MARKERS[i % len(_MARKERS)] if len(widths) <= _MAX_MARKERS else None
            axis.plot(
                widths, values, color=unit(run_colour(i)), marker=marker, markersize=5, linewidth=2, label=run.label,
                zorder=3,
            )  # fmt: skip
            if (whole := run.whole.mean_iou) is not None:
                axis.axhline(100 * whole, color=unit(run_colour(i)), linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
        axis.set_title(headline, color=_INK, fontsize=11)
        axis.set_xlabel("width of the trimap (pixels)", color=_INK)
        axis.grid(axis="y", color="#e4e7ea", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.margins(x=0.03, y=0.08)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axis.spines[side].set_color(_GREY)
        axis.tick_params(colors=_INK)
    axes[0].set_ylabel("mIoU (%)", color=_INK)
    axes[0].plot([], [], color=_GREY, linewidth=1, linestyle=(0, (4, 3)), label="whole image")
    axes[0].legend(frameon=False, fontsize=10, loc="best")
    kind = {"void": "dilated void pixels", "label": "dilated borders between labels"}[runs[0].boundary]
    figure.suptitle(title or f"mIoU over trimap width ({kind})", color=_INK, fontsize=12, fontweight="bold")
    return figure
