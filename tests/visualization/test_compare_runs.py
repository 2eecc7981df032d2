from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.plotting.palette import RUN_COLORS, TRUTH
from mmdetpre.visualization.choose_images import Choice
from mmdetpre.visualization.compare_runs import compare_runs, find_images, found_per_image
from mmdetpre.visualization.compared_runs import draw_comparison

NAMES = ("a", "b", "c")
BOX = np.array([[8, 8, 56, 40]], np.float32)
OBJECTS = GroundTruth(
    [0, 1, 2, 2], np.repeat(BOX, 4, axis=0) + np.float32([[0], [0], [0], [4]]), [0, 0, 0, 1], [0, 0, 0, 1]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in zip(NAMES, ((64, 48), (48, 64), (64, 48)), strict=True):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((size[1], size[0], 3), 90, np.uint8))
    return tmp_path


def make_run(folder: Path, images: list[int], scores: list[float], truth: GroundTruth | None = OBJECTS) -> Detections:
    return Detections(
        ("cat", "dog"), NAMES, images, np.repeat(BOX, len(images), axis=0), scores, [0] * len(images),
        paths=tuple(str(folder / f"{name}.png") for name in NAMES), sizes=[[64, 48], [48, 64], [64, 48]], truth=truth,
    )  # fmt: skip


def test_objects_found_per_image(folder: Path) -> None:
    run = make_run(folder, [0, 0, 2], [0.9, 0.8, 0.4])
    assert found_per_image(run, score_thr=0.0).tolist() == [1, 0, 1]
    assert found_per_image(run, score_thr=0.5).tolist() == [1, 0, 0]


def test_objects_are_found_and_drawn_by_the_convention_of_the_run(folder: Path) -> None:
    half = BOX[0] - np.float32([0, 0, 0, 17])  # 15 of 32 rows, with the last one inside 16 of 33
    third = replace(make_run(folder, [0], [0.9]), boxes=[half + np.float32([0, 0, 0, 1])], plus_one=True)
    exact = replace(make_run(folder, [0], [0.9]), boxes=[half], plus_one=True)
    assert [found_per_image(run, score_thr=0.5)[0] for run in (third, exact)] == [1, 0]
    (image,) = compare_runs({"one": third, "two": third}, Choice(1))
    assert image.truth.tolist() == (BOX + [[0, 0, 1, 1]]).tolist()
    assert image.runs[0].boxes[0, 2:].tolist() == [57, 25] and image.runs[0].found == 1


def test_images_that_are_numbered_show_their_file(folder: Path) -> None:
    """An id of 45 beside a file raccoon-45.jpg of another id is mistaken for it."""
    runs = {"one": replace(make_run(folder, [0], [0.9]), names=("45", "2", "7"))}
    runs["two"] = runs["one"]
    assert [image.name for image in compare_runs(runs, Choice(ids=["45"]))] == ["a (id 45)"]


def test_choice_of_images(folder: Path) -> None:
    runs = {"one": make_run(folder, [0, 1], [0.9, 0.9]), "two": make_run(folder, [0, 2], [0.9, 0.9])}
    assert [image.name for image in compare_runs(runs, Choice(2))] == ["a", "b"]
    assert [image.name for image in compare_runs(runs, Choice(9))] == ["a", "b", "c"]
    assert [image.name for image in compare_runs(runs, Choice(ids=["c", "a"]))] == ["c", "a"]
    differing = compare_runs(runs, Choice(2, largest_difference=True))
    assert [image.name for image in differing] == ["b", "c"]
    assert [[shown.found for shown in image.runs] for image in differing] == [[1, 0], [0, 1]]
    assert [len(image.truth) for image in differing] == [1, 1], "ignored objects are not drawn"
    extremes = compare_runs(runs, Choice(1, gains_and_losses=True))
    assert [image.name for image in extremes] == ["+1 objects: c", "-1 objects: b"]


def test_low_scores_are_left_out_and_ground_truth_is_optional(folder: Path) -> None:
    runs = {"one": make_run(folder, [0, 0], [0.9, 0.3], None), "two": make_run(folder, [0], [0.9], None)}
    (image,) = compare_runs(runs, Choice(1), score_thr=0.5)
    assert [len(shown.boxes) for shown in image.runs] == [1, 1] and image.truth is None
    with pytest.raises(ValueError, match="without ground truth"):
        compare_runs(runs, Choice(1, largest_difference=True))


def test_images_by_folder_and_name(folder: Path, tmp_path: Path) -> None:
    run = replace(make_run(folder, [0], [0.9]), paths=("elsewhere/a.png", "", "elsewhere/lost.png"))
    assert find_images(run, [0, 1, 2], folder) == [folder / f"{name}.png" for name in NAMES]
    with pytest.raises(FileNotFoundError, match="3 of 3 images are not at the paths that the run has stored, e.g. 'a'"):
        find_images(run, [0, 1, 2])
    with pytest.raises(FileNotFoundError, match="1 of 1 images are not in .*--img-dir FOLDER or --config CONFIG"):
        find_images(run, [0], tmp_path / "nowhere")


def test_bad_choices_and_images(folder: Path) -> None:
    run = make_run(folder, [0], [0.9])
    runs = {"one": run, "two": run}
    with pytest.raises(ValueError, match="no image 'z'.*such as 'a'"):
        compare_runs(runs, Choice(ids=["a", "z"]))
    with pytest.raises(ValueError, match="give 1 or more"):
        compare_runs(runs, Choice(0))
    with pytest.raises(ValueError, match="1 runs are given"):
        compare_runs({"one": run}, Choice(1))
    with pytest.raises(ValueError, match="has 64 x 48 pixels, the run saw this image with 32 x 24"):
        compare_runs({name: replace(run, sizes=[[32, 24]] * 3) for name in runs}, Choice(1))
    (folder / "a.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        compare_runs(runs, Choice(1))


def test_both_colors_and_the_objects_are_in_the_picture(folder: Path) -> None:
    other = replace(make_run(folder, [0, 1, 2], [0.9, 0.9, 0.9]), boxes=np.repeat(BOX - 5, 3, axis=0))
    images = compare_runs({"one": make_run(folder, [0, 1], [0.9, 0.9]), "two": other}, Choice(3))
    figure = draw_comparison(images, ["one", "two"], ["cat", "dog"], score_thr=0.5, columns=2)
    assert len(figure.axes) == 3
    assert figure.axes[0].get_title(loc="left") == "a\nfound: one 1, two 1 of 1"
    for axis in figure.axes:  # nothing is distorted, nothing overlaps the next row
        (picture,) = axis.get_images()
        height, width = picture.get_array().shape[:2]
        box = axis.get_position()
        inches = figure.get_size_inches()
        assert box.width * inches[0] / (box.height * inches[1]) == pytest.approx(width / height)
        assert box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1
    figure.savefig(folder / "out.png")
    drawn = cv2.imread(str(folder / "out.png"))[..., ::-1]
    for color in (*RUN_COLORS[:2], TRUTH):
        assert (drawn == color).all(axis=-1).sum() > 50
    with pytest.raises(ValueError, match="at least one"):
        draw_comparison([], ["one", "two"], ["cat"], score_thr=0.5)


@pytest.mark.parametrize(("count", "named"), [(12, 24), (13, 0)])
def test_names_do_not_hide_a_crowd(folder: Path, count: int, named: int) -> None:
    run = make_run(folder, [0] * count, [0.9] * count)
    figure = draw_comparison(compare_runs({"a": run, "b": run}, Choice(1)), ["a", "b"], ["cat", "dog"], score_thr=0.5)
    assert len(figure.axes[0].texts) == named
