from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from mmdetpre.plotting.palette import class_color
from mmdetpre.visualization.detections import _apart, detection_grid, draw_detections

BOX = torch.tensor([[10.0, 10, 60, 50]])


def truth() -> InstanceData:
    return InstanceData(bboxes=HorizontalBoxes(BOX), labels=torch.tensor([1]))


def found(score: float) -> InstanceData:
    return InstanceData(bboxes=BOX, labels=torch.tensor([1]), scores=torch.tensor([score]))


def has_color(picture: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((picture == color).all(axis=-1).any())


def test_truth_is_left_and_white_detections_right_and_colored() -> None:
    image = np.full((96, 128, 3), 80, np.uint8)
    picture = draw_detections(image, truth(), found(0.9), ["cat", "dog"], 0.5, min_width=128)
    left, right = picture[:, :128], picture[:, -128:]
    assert has_color(left, (255, 255, 255)) and not has_color(left, class_color(1))
    assert has_color(right, class_color(1))
    assert (image == 80).all(), "the image was changed"


def test_low_scores_are_left_out() -> None:
    image = np.full((96, 128, 3), 80, np.uint8)
    picture = draw_detections(image, None, found(0.3), ["cat", "dog"], 0.5, min_width=128)
    assert picture.shape == image.shape and (picture == 80).all()


def test_small_images_are_enlarged() -> None:
    picture = draw_detections(np.zeros((96, 128, 3), np.uint8), None, None, ["cat"], min_width=512)
    assert picture.shape == (384, 512, 3)


def test_crowds_have_thin_lines_and_few_tags_that_cover_no_other() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 380, (80, 2))
    crowd = InstanceData(
        bboxes=np.hstack([corners, corners + 40]), labels=np.zeros(80, int), scores=np.linspace(0.4, 0.9, 80)
    )
    image = np.full((480, 640, 3), 80, np.uint8)
    few = crowd[torch.arange(70, 80)]
    drawn = {
        name: draw_detections(image, None, found, ["cell"], min_width=640)
        for name, found in (("few", few), ("crowd", crowd), ("one", crowd[[79]]))
    }
    changed = {name: int((picture != image).any(axis=-1).sum()) for name, picture in drawn.items()}
    assert changed["crowd"] < 4 * changed["few"] < 80 * changed["one"]
    apart = corners[_apart(crowd.bboxes)]
    assert 1 < len(apart) <= 10 and _apart(crowd.bboxes)[-1], "the highest score has its tag"


def test_the_name_of_the_file_stands_above() -> None:
    image = np.full((96, 128, 3), 80, np.uint8)
    named = draw_detections(image, None, None, [], min_width=128, title="a_very_long_name_of_a_photo\n.jpg")
    assert named.shape[0] > 96 and named.shape[1] == 128 and (named[:-96] > 200).any() and (named[-96:] == 80).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_grid_holds_all_pictures(n: int) -> None:
    pictures = [np.full((20 + i, 300, 3), 100 + i, np.uint8) for i in range(n)]
    grid = detection_grid(pictures, columns=2, score_thr=0.3)
    assert all((grid == 100 + i).all(axis=-1).sum() >= (20 + i) * 300 for i in range(n))


def test_empty_grid() -> None:
    with pytest.raises(ValueError, match="at least one"):
        detection_grid([])


def test_neighboring_classes_differ() -> None:
    colors = [class_color(i) for i in range(20)]
    assert len(set(colors)) == 20
