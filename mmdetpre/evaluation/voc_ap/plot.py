"""mAP over IoU thresholds of several runs in one picture: Figure 1 of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from mmdetpre.evaluation.voc_ap.scores import VOCScores
from mmdetpre.plotting.palette import run_color, unit
from mmdetpre.plotting.style import HEADLINE, INK, new_figure, style_axes

_MARKERS = "osD^v"


def draw_iou_sweep(runs: Sequence[VOCScores], *, title: str = "") -> Figure:
    """Left the mAP of every run over the IoU threshold, right how much more than the first run each other one has.

    Args:
        runs: Scores of each run, comparable ones.
        title: Headline; by default it names the metric.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Source: Figure 1 of "An Analysis of Pre-Training on Object Detection".
    """
    both = len(runs) > 1
    figure = new_figure(11.0 if both else 6.0, 4.4)
    axes = figure.subplots(1, 2 if both else 1, squeeze=False)[0]
    ious = np.array(runs[0].iou_thrs)
    values = 100 * np.array([run.mean_ap for run in runs], float)
    for i, run in enumerate(runs):
        _curve(axes[0], ious, values[i], i, run.label)
    top = max(5.0, min(100.0, 1.12 * values.max()))
    _frame(axes[0], ious, "mAP (%)")
    axes[0].set_ylim(0, top)
    axes[0].legend(frameon=False, fontsize=10, loc="lower left")
    if both:
        axes[1].axhline(0, color=unit(run_color(0)), linewidth=2)
        for i, run in enumerate(runs[1:], 1):
            _curve(axes[1], ious, values[i] - values[0], i, run.label)
        if len(runs) == 2:  # with more the numbers would lie on each other; the table has them
            for iou, gain in zip(ious, values[1] - values[0], strict=True):
                axes[1].annotate(
                    f"{gain:+.1f}", (iou, gain), textcoords="offset points", xytext=(0, 8), ha="center", fontsize=8.5,
                    color=INK, path_effects=[withStroke(linewidth=3, foreground="white")],
                )  # fmt: skip
        axes[1].margins(y=0.18)
        _frame(axes[1], ious, f"mAP minus that of {runs[0].label} (points)")
    mode = {"11points": "VOC 2007, 11 points", "area": "VOC 2010, area"}[runs[0].mode]
    figure.suptitle(title or f"mAP over IoU thresholds ({mode})", **HEADLINE)
    return figure


def _curve(axis: Axes, ious: np.ndarray, values: np.ndarray, run: int, label: str) -> None:
    axis.plot(
        ious, values, color=unit(run_color(run)), marker=_MARKERS[run % len(_MARKERS)], markersize=5.5, linewidth=2,
        label=label, clip_on=False, zorder=3,
    )  # fmt: skip


def _frame(axis: Axes, ious: np.ndarray, what: str) -> None:
    style_axes(axis, "IoU threshold", what)
    if len(ious) <= 12:
        axis.set_xticks(ious)
