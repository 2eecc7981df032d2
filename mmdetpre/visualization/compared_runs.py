"""The boxes of two runs on the same images (paper, Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from mmdetpre.plotting.palette import RGB, TRUTH, run_color, unit
from mmdetpre.plotting.style import INK, new_figure

_WIDTH = 14.0
_HEAD, _FOOT, _TITLE, _GAP, _TALLEST = 0.45, 0.05, 0.38, 0.12, 4.2  # inches
_DASHES = ("solid", (0, (4, 2)))
_MOST_NAMED = 24
_NARROWEST = 0.08  # of the image's width: a name on a smaller box would hide it


class ShownBoxes(NamedTuple):
    """Boxes of one run in one image.

    Attributes:
        boxes: (n, 4) x1, y1, x2, y2 in pixels, half-open.
        scores: (n,) scores.
        labels: (n,) class indices.
        found: Number of objects found among them, or None where it is not known.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    found: int | None = None


class ComparedImage(NamedTuple):
    """One image with the boxes of both runs.

    Attributes:
        name: Its id.
        image: (h, w, 3) uint8 RGB.
        runs: The boxes of each run.
        truth: (m, 4) boxes of the objects, or None.
    """

    name: str
    image: np.ndarray
    runs: Sequence[ShownBoxes]
    truth: np.ndarray | None = None


def draw_comparison(
    images: Sequence[ComparedImage],
    run_names: Sequence[str],
    classes: Sequence[str],
    *,
    score_thr: float,
    columns: int = 3,
) -> Figure:
    """One figure: the images in a grid, the first run's boxes solid, the second's dashed, objects thin and white.

    Crowded images, of more than 24 boxes, have thin lines and no names of classes, which would hide all else.

    Args:
        images: What to draw, row by row.
        run_names: Names of the two runs.
        classes: Class names.
        score_thr: The threshold of the boxes, for the headline.
        columns: Images side by side, at most.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If there is no image.

    Example:
        >>> box = ShownBoxes(np.array([[4, 4, 20, 20.0]]), np.array([0.9]), np.array([0]))
        >>> image = ComparedImage("a", np.zeros((32, 32, 3), np.uint8), [box, box])
        >>> len(draw_comparison([image], ["scratch", "pre-trained"], ["cat"], score_thr=0.5).axes)
        1
    """
    if not images:
        raise ValueError("No images to compare: choose at least one.")
    columns = max(1, columns)
    lines = [images[start : start + columns] for start in range(0, len(images), columns)]
    heights = [_row_height([_aspect(item) for item in line]) for line in lines]
    total = _HEAD + _FOOT + sum(heights) + len(lines) * (_TITLE + _GAP)
    figure = new_figure(_WIDTH, total, 110, None)
    top = total - _HEAD
    for line, height in zip(lines, heights, strict=True):
        left = _GAP
        for item in line:
            width = height * _aspect(item)
            axis = figure.add_axes((left / _WIDTH, (top - _TITLE - height) / total, width / _WIDTH, height / total))
            _draw_image(axis, item, run_names, classes)
            left += width + _GAP
        top -= height + _TITLE + _GAP
    _draw_legend(figure, run_names, score_thr, any(item.truth is not None for item in images))
    return figure


def _aspect(item: ComparedImage) -> float:
    return float(item.image.shape[1] / item.image.shape[0])


def _row_height(aspects: Sequence[float]) -> float:
    """Height in inches at which images side by side fill the width."""
    return min((_WIDTH - (len(aspects) + 1) * _GAP) / sum(aspects), _TALLEST)


def _draw_image(axis: Axes, item: ComparedImage, run_names: Sequence[str], classes: Sequence[str]) -> None:
    height, width = item.image.shape[:2]
    axis.set_axis_off()
    axis.imshow(item.image, extent=(0, width, height, 0), interpolation="lanczos")
    for box in item.truth if item.truth is not None else ():
        _outline(axis, box, TRUTH, 1.2, "solid")
    crowded = sum(len(run.scores) for run in item.runs) > _MOST_NAMED
    for k, run in enumerate(item.runs):
        for i in np.argsort(run.scores):  # the highest-scoring on top
            _outline(axis, run.boxes[i], run_color(k), 1.0 if crowded else 2.0, _DASHES[k % 2])
            if not crowded and run.boxes[i, 2] - run.boxes[i, 0] >= _NARROWEST * width:
                _name(axis, f"{classes[int(run.labels[i])]} {run.scores[i]:.2f}", run.boxes[i], k, (width, height))
    axis.set_xlim(0, width)
    axis.set_ylim(height, 0)
    known = [run.found for run in item.runs if run.found is not None]
    counts = ""
    if item.truth is not None and len(known) == len(item.runs):
        counts = "\nfound: " + ", ".join(f"{n} {f}" for n, f in zip(run_names, known, strict=True))
        counts += f" of {len(item.truth)}"
    axis.set_title(f"{item.name}{counts}", color=INK, fontsize=8.5, pad=4, loc="left")


def _outline(axis: Axes, box: Sequence[float], color: RGB, width: float, style: object) -> None:
    x1, y1, x2, y2 = (float(v) for v in box)
    patch = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=unit(color), linewidth=width)
    patch.set_linestyle(style)
    patch.set_path_effects([withStroke(linewidth=1.7 * width, foreground=(0, 0, 0, 0.6))])
    axis.add_patch(patch)


def _name(axis: Axes, text: str, box: Sequence[float], run: int, size: tuple[int, int]) -> None:
    """The first run's names inside at the top left of the box, the second's at the bottom right: none hides another."""
    place: dict[str, Any] = dict(ha="left", va="top") if run % 2 == 0 else dict(ha="right", va="bottom")
    x = max(box[0], 0) if run % 2 == 0 else min(box[2], size[0])
    y = max(box[1], 0) if run % 2 == 0 else min(box[3], size[1])
    plate = dict(boxstyle="square,pad=0.12", facecolor=unit(run_color(run)), edgecolor="none", alpha=0.85)
    axis.text(x, y, text, color="white", fontsize=7, clip_on=True, bbox=plate, **place)


def _draw_legend(figure: Figure, run_names: Sequence[str], score_thr: float, truth: bool) -> None:
    rim = [withStroke(linewidth=3.4, foreground="black")]
    handles = [
        Line2D([], [], color=unit(run_color(k)), lw=2.4, ls=_DASHES[k % 2], label=f"{name} (score >= {score_thr:g})")
        for k, name in enumerate(run_names)
    ]
    if truth:
        handles.append(Line2D([], [], color=unit(TRUTH), lw=1.4, path_effects=rim, label="annotated objects"))
    figure.legend(
        handles=handles,
        loc="upper center",
        ncols=len(handles),
        fontsize=11,
        frameon=False,
        handlelength=3,
        borderpad=0.2,
    )
