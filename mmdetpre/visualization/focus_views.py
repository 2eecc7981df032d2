"""The picture that explains AutoFocus: what each scale looks at, where it sees small objects, what it finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from mmengine.structures import InstanceData

from mmdetpre.models.focus_tta import FocusView
from mmdetpre.models.nms import hard_nms
from mmdetpre.plotting.palette import class_color, scale_color, unit
from mmdetpre.plotting.style import HEADLINE, new_figure
from mmdetpre.utils.plain_text import counted

_COLUMNS, _WIDTH = 2, 5.6
_UNSEEN = (0.0, 0.0, 0.0, 0.65)
_HEAT = "inferno"
_OVERLAP = 0.5


def draw_focus_views(
    image: np.ndarray,
    views: Sequence[FocusView],
    found: InstanceData,
    classes: Sequence[str],
    stride: int,
    score_thr: float = 0.3,
    *,
    title: str = "",
) -> Figure:
    """A panel per scale, coarsest first, and one with the detections of all.

    What a scale does not look at is dark, its rectangles are outlined in its colour. The brighter a cell, the more
    probable is a small object there; the next scale looks there. Boxes are detections that the scale keeps, without
    those that overlap a better one by half.

    Args:
        image: (H, W, 3) uint8 RGB, the original.
        views: Of `mmdetpre.models.FocusTTA`, coarsest first.
        found: Detections of all scales after suppression: ``bboxes`` (n, 4) in pixels of the image, ``scores``,
            ``labels``.
        classes: Class names.
        stride: Of the focus map, pixels of a scale.
        score_thr: Detections below this score are not drawn.
        title: Headline.

    Returns:
        A matplotlib figure.
    """
    height, width = image.shape[:2]
    rows = -(-(len(views) + 1) // _COLUMNS)
    figure = new_figure(_COLUMNS * _WIDTH, rows * (_WIDTH * height / width + 0.35) + 0.4, 110)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for position, (axis, view) in enumerate(zip(axes, views, strict=False)):
        _draw_view(axis, image, view, classes, len(views) - 1 - position, stride, score_thr)
    last = axes[len(views)]
    last.imshow(image, interpolation="lanczos", extent=(0, width, height, 0))
    scores, labels = found.scores.cpu().numpy(), found.labels.cpu().numpy()
    count = _draw_boxes(last, found.bboxes.cpu().numpy(), scores, labels, classes, score_thr)
    last.set_title(f"All scales together: {count} detections above {score_thr:g}", **HEADLINE)
    if title:
        figure.suptitle(title, **HEADLINE)
    return figure


def looked_at(view: FocusView) -> float:
    """Which part of the image a scale looks at, from 0 to 1."""
    sides = view.rectangles[:, 2:] - view.rectangles[:, :2]
    return float(sides.prod(axis=1).sum() / (view.size[0] * view.size[1]))


def _draw_view(
    axis: Axes, image: np.ndarray, view: FocusView, classes: Sequence[str], scale: int, stride: int, score_thr: float
) -> None:
    height, width = image.shape[:2]
    axis.imshow(image, interpolation="lanczos", extent=(0, width, height, 0))
    if view.focus is not None:
        right, bottom = (
            cells * stride / ratio for cells, ratio in zip(view.focus.shape[::-1], view.ratio, strict=True)
        )
        axis.imshow(
            view.focus, cmap=_HEAT, vmin=0, vmax=1, alpha=0.75 * view.focus ** 0.5, extent=(0, right, bottom, 0),
            interpolation="nearest",
        )  # fmt: skip
    unseen = np.zeros((view.size[1], view.size[0], 4))
    unseen[:] = _UNSEEN
    for x1, y1, x2, y2 in view.rectangles:
        unseen[y1:y2, x1:x2] = 0
    axis.imshow(unseen, extent=(0, width, height, 0), interpolation="nearest")
    color = unit(scale_color(scale))
    for rectangle in view.rectangles:
        _outline(axis, rectangle / np.array(view.ratio * 2), color, 3.0)
    kept = view.kept.numpy()
    boxes, scores, labels = (values.numpy()[kept] for values in (view.boxes, view.scores, view.labels))
    best, _ = hard_nms(boxes, scores, labels, iou_threshold=_OVERLAP, min_score=score_thr)
    _draw_boxes(axis, boxes[best], scores[best], labels[best], classes, score_thr)
    many, (wide, high) = counted(len(view.rectangles), "rectangle"), view.size
    text = f"Scale {scale + 1}, {wide} x {high}: {many}, {100 * looked_at(view):.0f} %"
    axis.set_title(text, **(HEADLINE | {"color": color, "fontsize": 9.5}))
    axis.set_xlim(0, width)
    axis.set_ylim(height, 0)


def _draw_boxes(
    axis: Axes, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, classes: Sequence[str], score_thr: float
) -> int:
    shown = np.flatnonzero(scores >= score_thr)
    for i in shown[np.argsort(scores[shown])]:  # the highest-scoring on top
        color = unit(class_color(int(labels[i])))
        _outline(axis, boxes[i], color, 1.6)
        axis.text(
            boxes[i, 0], boxes[i, 1], f"{classes[int(labels[i])]} {scores[i]:.2f}", color=color, fontsize=7.5,
            va="bottom", clip_on=True, path_effects=[withStroke(linewidth=2, foreground="black")],
        )  # fmt: skip
    return len(shown)


def _outline(axis: Axes, box: np.ndarray, color: object, width: float) -> None:
    x1, y1, x2, y2 = (float(value) for value in box)
    patch = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linewidth=width)
    patch.set_path_effects([withStroke(linewidth=width + 1.4, foreground=(0, 0, 0, 0.65))])
    axis.add_patch(patch)
