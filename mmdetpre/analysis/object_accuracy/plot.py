"""Accuracy over the number of objects and over the covered part of the image, several classifiers in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdetpre.analysis.object_accuracy.accuracy import GroupAccuracy, ObjectAccuracy
from mmdetpre.plotting.palette import run_color, unit
from mmdetpre.plotting.style import HEADLINE, INK, new_figure, style_axes

_MARKERS = "osD^v"
_PANELS = {"objects": "objects in the image", "covered": "part of the image that its class covers"}


def draw_object_accuracy(found: ObjectAccuracy, *, title: str = "") -> Figure:
    """Left over the number of objects, right over the covered part, with 95 % intervals; below, the number of images.

    Args:
        found: The accuracies.
        title: Headline.

    Returns:
        A matplotlib figure.
    """
    figure = new_figure(11.0, 4.6)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (grouping, label) in zip(axes, _PANELS.items(), strict=True):
        _panel(axis, {name: getattr(groups, grouping) for name, groups in found.accuracy.items()}, label)
    axes[0].set_ylabel("accuracy (%)", color=INK)
    axes[0].legend(frameon=False, fontsize=10, loc="best")
    figure.suptitle(title or "Accuracy by the objects of an image", **HEADLINE)
    return figure


def _panel(axis: Axes, runs: Mapping[str, Sequence[GroupAccuracy]], label: str) -> None:
    groups = next(iter(runs.values()))
    for k, (name, of_run) in enumerate(runs.items()):
        there = [i for i, group in enumerate(of_run) if group.images]
        values = np.array([100 * (of_run[i].accuracy or 0.0) for i in there])
        bounds = 100 * np.array([of_run[i].interval or (0.0, 0.0) for i in there]).reshape(-1, 2)
        places = np.array(there) + 0.09 * (k - (len(runs) - 1) / 2)
        axis.errorbar(
            places, values, yerr=np.abs(bounds.T - values), color=unit(run_color(k)), linewidth=2, capsize=3,
            marker=_MARKERS[k % len(_MARKERS)], markersize=6, label=name,
        )  # fmt: skip
    axis.set_xticks(range(len(groups)), [f"{group.name}\n{group.images:,} images" for group in groups], fontsize=9)
    axis.set_xlim(-0.5, len(groups) - 0.5)
    axis.set_ylim(0, 100)
    style_axes(axis, label)
