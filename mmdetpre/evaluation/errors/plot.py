"""The picture of an error analysis: what each run misses, and what its false positives are."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from mmdetpre.evaluation.errors.false_positives import TYPE_NAMES
from mmdetpre.evaluation.errors.report import ASPECT, OCCLUSION, SIZE, ErrorReport
from mmdetpre.plotting.palette import ERROR_COLORS, run_color, unit
from mmdetpre.plotting.style import INK, new_figure

_QUIET = "#5b626b"
_TITLES = {OCCLUSION: "by occlusion", SIZE: "by size within the class", ASPECT: "by shape: tall (T) to wide (W)"}
_MEASURES = (("missed_share", "missed objects, %"), ("normalized_ap", "normalized AP, %"))


def draw_errors(report: ErrorReport, *, title: str = "") -> Figure:
    """One figure: missed objects and normalized AP by occlusion, size and shape; at the right the types of errors.

    Args:
        report: Of :func:`~mmdetpre.evaluation.errors.analyse.detection_errors`.
        title: Headline; none if not given.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> from mmdetpre.evaluation.errors.analyse import detection_errors
        >>> from mmdetpre.evaluation.detections.detections import Detections
        >>> report = detection_errors({"ImageNet": Detections.load("work_dirs/a/detections.npz")})
        >>> draw_errors(report).savefig("errors.png")
    """
    layout = ConstrainedLayoutEngine(rect=(0, 0.06, 1, 0.86), w_pad=0.08, h_pad=0.08)
    figure = new_figure(14.0, 7.0, 120, layout)
    grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 1.25))
    for row, (field, label) in enumerate(_MEASURES):
        left: Axes | None = None
        for column, prop in enumerate(_TITLES):
            axis = figure.add_subplot(grid[row, column], sharey=left)
            _draw_levels(axis, report, prop, field)
            axis.tick_params(labelleft=left is None)
            if left is None:
                axis.set_ylabel(label, color=INK)
                left = axis
            if row == 0:
                axis.set_title(_TITLES[prop], color=INK, fontsize=11, fontweight="bold")
    _draw_types(figure.add_subplot(grid[0, 3]), report, "top_detections", "highest-scoring detections")
    _draw_types(figure.add_subplot(grid[1, 3]), report, "top_false_positives", "highest-scoring false positives")
    _draw_heads(figure, report)
    if title:
        figure.suptitle(title, color=INK, fontsize=12, fontweight="bold")
    return figure


def _draw_levels(axis: Axes, report: ErrorReport, prop: str, field: str) -> None:
    levels = report.runs[0].levels[prop]
    width = 0.8 / len(report.runs)
    for k, run in enumerate(report.runs):
        values = [getattr(level, field) for level in run.levels[prop]]
        places = np.arange(len(values)) + (k - (len(report.runs) - 1) / 2) * width
        heights = [0.0 if value is None else 100 * value for value in values]
        bars = axis.bar(places, heights, width * 0.92, color=unit(run_color(k)))
        texts = ["" if value is None else f"{100 * value:.0f}" for value in values]
        if len(report.runs) <= 2:
            axis.bar_label(bars, texts, fontsize=8, color=INK, padding=1)
    axis.set_xticks(range(len(levels)), [f"{level.level}\n{level.objects:,}" for level in levels], fontsize=9)
    axis.tick_params(colors=INK, length=0)
    axis.margins(y=0.12)
    _quiet_frame(axis)


def _draw_types(axis: Axes, report: ErrorReport, field: str, title: str) -> None:
    places = np.arange(len(report.runs))[::-1]
    shares = np.array([getattr(run.types, field).sum(axis=0) for run in report.runs], float)
    totals = shares.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0)
    left = np.zeros(len(places))
    for t, name in enumerate(TYPE_NAMES):
        color = unit(ERROR_COLORS[t])
        bars = axis.barh(places, shares[:, t], 0.62, left=left, color=color, edgecolor="white", linewidth=1, label=name)
        dark = np.dot(color, (0.3, 0.59, 0.11)) < 0.5
        texts = [f"{share:.0f}" if share >= 4 else "" for share in shares[:, t]]
        axis.bar_label(bars, texts, label_type="center", fontsize=9, color="white" if dark else INK)
        left += shares[:, t]
    axis.set_title(f"{title}, %", color=INK, fontsize=11, fontweight="bold")
    axis.set_yticks(places, [run.name for run in report.runs], color=INK)
    axis.set_xlim(0, 100)
    axis.tick_params(colors=INK, length=0)
    _quiet_frame(axis)


def _draw_heads(figure: Figure, report: ErrorReport) -> None:
    runs = [_patch(run_color(k), run.name) for k, run in enumerate(report.runs)]
    types = [_patch(color, name) for color, name in zip(ERROR_COLORS, TYPE_NAMES, strict=True)]
    style: dict[str, Any] = dict(frameon=False, fontsize=10, handlelength=1.1, columnspacing=1.2)
    figure.legend(handles=runs, loc="upper left", bbox_to_anchor=(0.03, 0.985), ncols=len(runs), **style)
    figure.legend(handles=types, loc="upper right", bbox_to_anchor=(0.99, 0.985), ncols=len(types), **style)
    note = (
        f"{report.images:,} images, {int(report.objects.sum()):,} objects; below the levels: their objects. Right: as"
        " many detections and false positives of each class as it has objects.\n"
        f"Missed: by the {report.operating_point()}. Occlusion: {report.occlusion}."
    )
    figure.text(0.01, 0.012, note, color=_QUIET, fontsize=9, linespacing=1.4)


def _patch(color: tuple[int, int, int], label: str) -> Patch:
    return Patch(color=unit(color), label=label)


def _quiet_frame(axis: Axes) -> None:
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(_QUIET)
