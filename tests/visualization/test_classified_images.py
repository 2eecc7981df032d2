"""Images that one run classifies right and another wrong, and their picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.hooks.write_labels_hook import ImageLabel
from mmdetpre.plotting.palette import RUN_COLORS, unit
from mmdetpre.visualization.choose_images import Choice
from mmdetpre.visualization.classified_images import compare_classifications, draw_classifications
from mmdetpre.visualization.image_scores import classification_scores

BASE = [(0, 0.9, 0.9), (1, 0.6, 0.4), (1, 0.9, 0.1), (0, 0.5, 0.5), (0, 0.9, 0.9)]
OTHER = [(0, 1.0, 1.0), (0, 0.5, 0.5), (1, 0.4, 0.4), (1, 0.6, 0.3), (0, 0.5, 0.5)]
"""Prediction, its score and that of the class of each image: the second run is right about image 1, wrong about 3."""


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, list[ImageLabel]]:
    for i in range(len(BASE)):
        Image.fromarray(np.full((30, 40 + i, 3), 50 * i, np.uint8)).save(tmp_path / f"{i}.png")
    of_runs = {"scratch": BASE, "COCO": OTHER}
    return {
        name: [ImageLabel(str(tmp_path / f"{i}.png"), 0, *row) for i, row in enumerate(rows)]
        for name, rows in of_runs.items()
    }


def test_right_instead_of_wrong_is_the_greatest_gain(runs: dict[str, list[ImageLabel]], tmp_path: Path) -> None:
    images = compare_classifications(runs, Choice(2, gains_and_losses=True))
    folder = tmp_path.name
    assert [image.name for image in images] == [
        f"+10 points: {folder}/1.png", f"+30 points: {folder}/2.png",
        f"-20 points: {folder}/3.png", f"-40 points: {folder}/4.png",
    ]  # fmt: skip
    assert images[1].image.shape == (30, 42, 3) and (images[1].image == 100).all()
    assert classification_scores(images, tuple(runs)).values[:2] == ((0.4, 0.5), (0.1, 0.4))
    figure = draw_classifications(images, tuple(runs), ["cat", "dog"])
    told = [(text.get_text(), text.get_fontweight()) for text in figure.texts]
    assert told[1:4] == [
        ("class: cat", "bold"), ("scratch: dog 0.60 (cat 0.40)", "normal"), ("COCO: cat 0.50", "bold")
    ]  # fmt: skip
    assert [text.get_color() for text in figure.texts[2:4]] == [unit(color) for color in RUN_COLORS[:2]]
    boxes = [axis.get_position() for axis in figure.axes]
    assert len(boxes) == 4 and all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)


def test_runs_that_cannot_be_compared(runs: dict[str, list[ImageLabel]]) -> None:
    with pytest.raises(ValueError, match="'scratch' and 'COCO' were not tested on the same images with the same cl"):
        compare_classifications(runs | {"COCO": runs["COCO"][1:]}, Choice(1))
    Path(runs["COCO"][0].image).unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no image .*0.png"):
        compare_classifications(runs, Choice(1))
    with pytest.raises(ValueError, match="choose at least one"):
        draw_classifications([], ["scratch"], ["cat"])
