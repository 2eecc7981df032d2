from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.plotting.palette import unit, voc_palette
from mmdetpre.visualization.segmentation_panels import (
    VOID_COLOR,
    SegmentedImage,
    color_labels,
    draw_segmentations,
)

CLASSES = [f"class {i}" for i in range(21)]


def image(name: str, size: tuple[int, int], labels: tuple[int, ...], scores: list[float]) -> SegmentedImage:
    height, width = size
    maps = [np.full(size, label) for label in labels]
    maps[0][: height // 4] = 255
    return SegmentedImage(name, np.full((height, width, 3), 90, np.uint8), maps[0], maps[1:], scores)


def test_colors_and_void() -> None:
    labels = np.array([[0, 1, 255]])
    palette = voc_palette()
    assert color_labels(labels, palette).tolist() == [[[0, 0, 0], [128, 0, 0], list(VOID_COLOR)]]
    over = np.full((1, 3, 3), 100, np.uint8)
    assert color_labels(labels, palette, image=over, opacity=0.25).tolist() == [[[75] * 3, [107, 75, 75], [132] * 3]]
    assert color_labels(labels, palette, image=over, opacity=0).tolist() == over.tolist()
    small = np.zeros((1, 3), np.uint8)
    assert color_labels(np.array([[7, 0]]), small, ignore_index=7).tolist() == [[list(VOID_COLOR), [0, 0, 0]]]


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_every_panel_has_its_place(runs: int) -> None:
    shown = [
        image("wide", (48, 64), (1, *[2] * runs), [0.5] * runs),
        image("tall", (90, 40), (1, *[15] * runs), [float("nan")] * runs),
    ]
    figure = draw_segmentations(shown, [f"run {k}" for k in range(runs)], CLASSES, voc_palette())
    assert len(figure.axes) == 2 * (2 + runs)
    width, height = figure.get_size_inches()
    figure.canvas.draw()
    boxes = [axis.get_position() for axis in figure.axes]
    for axis, box in zip(figure.axes, boxes, strict=True):  # nothing is distorted or cut off
        rows, columns = axis.get_images()[0].get_array().shape[:2]
        assert box.width * width / (box.height * height) == pytest.approx(columns / rows)
        assert min(box.x0, box.y0) >= 0 and max(box.x1, box.y1) <= 1
    for k, box in enumerate(boxes):
        for other in boxes[:k]:
            assert box.x0 >= other.x1 or other.x0 >= box.x1 or box.y0 >= other.y1 or other.y0 >= box.y1
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["class 1", "class 2", "class 15", "void"]
    bottom = legend.get_window_extent().y1 / figure.bbox.height
    assert legend.get_window_extent().y0 >= 0 and bottom < min(box.y0 for box in boxes)
    colors = [patch.get_facecolor()[:3] for patch in legend.get_patches()]
    assert colors[1] == pytest.approx(unit(tuple(voc_palette()[2]))) and colors[3] == pytest.approx(unit(VOID_COLOR))
    texts = [text.get_text() for text in figure.texts]
    assert texts[: 2 + runs] == ["image", "truth", *(f"run {k}" for k in range(runs))]
    assert texts.count("mIoU 50.0") == runs == texts.count("mIoU -") and "wide" in texts and "tall" in texts


def test_many_long_names_fit_the_width() -> None:
    maps = np.arange(150).repeat(4).reshape(20, 30)
    one = SegmentedImage("a", np.zeros((20, 30, 3), np.uint8), maps, [maps], [1.0])
    names = [f"class with quite a long name {i}" for i in range(150)]
    figure = draw_segmentations([one], ["run"], names, voc_palette())
    figure.canvas.draw()
    extent = figure.legends[0].get_window_extent()
    assert extent.x0 >= 0 and extent.x1 <= figure.bbox.width
    assert extent.y1 < min(axis.get_window_extent().y0 for axis in figure.axes)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="choose at least one"):
        draw_segmentations([], ["run"], CLASSES, voc_palette())
    with pytest.raises(ValueError, match="opacity is 1.5: expected a number from 0 to 1"):
        draw_segmentations([image("a", (4, 4), (1, 1), [1.0])], ["run"], CLASSES, voc_palette(), opacity=1.5)
