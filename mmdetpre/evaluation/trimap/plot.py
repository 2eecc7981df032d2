"""mIoU of several runs over the width of the trimap, inside and outside it: Figure 4 of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mmdetpre.evaluation.trimap.scores import TrimapScores
from mmdetpre.plotting.palette import run_color, unit
from mmdetpre.plotting.style import GRAY, HEADLINE, INK, new_figure, style_axes

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
    figure = new_figure(11.0, 4.6)
    axes = figure.subplots(1, 2, sharey=True)
    widths = np.array(runs[0].widths)
    titles = {"trimap": "Trimap: near boundaries", "anti_trimap": "Anti-trimap: away from boundaries"}
    for axis, (region, headline) in zip(axes, titles.items(), strict=True):
        for i, run in enumerate(runs):
            values = np.array(run.band(region).mean_iou, float) * 100
            marker = _MARKERS[i % len(_MARKERS)] if len(widths) <= _MAX_MARKERS else None
            axis.plot(
                widths, values, color=unit(run_color(i)), marker=marker, markersize=5, linewidth=2, label=run.label,
                zorder=3,
            )  # fmt: skip
            if (whole := run.whole.mean_iou) is not None:
                axis.axhline(100 * whole, color=unit(run_color(i)), linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
        axis.set_title(headline, color=INK, fontsize=11)
        axis.margins(x=0.03, y=0.08)
        style_axes(axis, "width of the trimap (pixels)")
    axes[0].set_ylabel("mIoU (%)", color=INK)
    axes[0].plot([], [], color=GRAY, linewidth=1, linestyle=(0, (4, 3)), label="whole image")
    axes[0].legend(frameon=False, fontsize=10, loc="best")
    kind = {"void": "dilated void pixels", "label": "dilated borders between labels"}[runs[0].boundary]
    figure.suptitle(title or f"mIoU over trimap width ({kind})", **HEADLINE)
    return figure
