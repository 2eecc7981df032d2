from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.visualization.choose_images import Choice
from mmdetpre.visualization.segmentation_images import SegmentationImages, images_of_folders
from mmdetpre.visualization.segmentation_runs import compare_segmentations, mean_iou

WRONG = {"one": (0, 3, 1, 0), "two": (0, 1, 4, 4)}
"""How many of the six scored pixels of class 1 each run gets wrong in the images a to d; d is void but for them."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "truth", *WRONG):
        (tmp_path / name).mkdir()
    for i, name in enumerate("abcd"):
        truth = np.array([[1, 1, 1, 1, 1, 1, 255, 0]], np.uint8)
        truth[0, 7] = 255 if name == "d" else 0
        Image.new("RGB", (8, 1), (i, 0, 0)).save(tmp_path / f"images/{name}.png")
        Image.fromarray(truth).save(tmp_path / f"truth/{name}.png")
        for run, counts in WRONG.items():
            found = np.array([[1] * 7 + [0]], np.uint8)
            found[0, : counts[i]] = 0
            Image.fromarray(found).save(tmp_path / f"{run}/{name}.png")
    return tmp_path


@pytest.fixture
def images(folder: Path) -> SegmentationImages:
    return images_of_folders(folder / "images", folder / "truth", ["sky", "cat"])


@pytest.fixture
def runs(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in WRONG}


def test_mean_iou_of_an_image() -> None:
    truth, prediction = np.array([[0, 0, 1, 255]]), np.array([[0, 2, 1, 1]])
    assert mean_iou(truth, prediction, 4) == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert np.isnan(mean_iou(np.full((2, 2), 255), np.zeros((2, 2), int), 4))


def test_choice_of_images(images, runs, folder) -> None:
    def names(*args, **options):
        return [one.name for one in compare_segmentations(images, runs, Choice(*args, **options))]

    assert names(2) == ["a", "b"] and names(9) == list("abcd")
    assert names(ids=["c", "a"]) == ["c", "a"]
    assert names(4, largest_difference=True) == ["d", "c", "b", "a"]
    assert [name.partition(" mIoU: ")[2] for name in names(1, gains_and_losses=True)] == ["b", "d"]
    (image,) = compare_segmentations(images, runs, Choice(ids=["c"]))
    assert image.image.tolist() == [[[2, 0, 0]] * 8] and image.truth.tolist() == [[1, 1, 1, 1, 1, 1, 255, 0]]
    assert [one.tolist()[0][:4] for one in image.predictions] == [[0, 1, 1, 1], [0, 0, 0, 0]]
    assert image.scores == pytest.approx([(5 / 6 + 1 / 2) / 2, (2 / 6 + 1 / 5) / 2])
    (folder / "two/a.png").unlink()
    assert names(ids=["b"]) == ["b"]  # only what is drawn is needed
    with pytest.raises(FileNotFoundError, match=r"Run 'two' has no prediction for 1 of 4 images, e.g. .*two/a.png"):
        names(2, largest_difference=True)


def test_images_of_void_alone_differ_in_nothing(images, runs, folder) -> None:
    Image.new("L", (8, 1), 255).save(folder / "truth/d.png")
    chosen = compare_segmentations(images, runs, Choice(4, largest_difference=True))
    assert [one.name for one in chosen] == ["c", "b", "a", "d"] and np.isnan(chosen[-1].scores).all()


def test_files_of_data_sets_without_a_zero_label(images, runs, folder) -> None:
    reduced = replace(images, first_label=1)
    for name in "abcd":
        path = folder / f"one/{name}.png"
        Image.fromarray(np.asarray(Image.open(path)) + np.uint8(1)).save(path)
    (image,) = compare_segmentations(reduced, {"one": runs["one"]}, Choice(1))
    assert image.scores == [1.0]
    with pytest.raises(ValueError, match="two/a.png: the prediction holds -1"):
        compare_segmentations(reduced, {"two": runs["two"]}, Choice(1))


def test_bad_choices(images, runs) -> None:
    for chosen, options, message in (
        (runs, dict(ids=["a", "z"]), "There is no image 'z': the 4 images are called such as 'a'"),
        (runs, dict(n=0), "0 images are to be drawn: give 1 or more"),
        ({"one": runs["one"]}, dict(largest_difference=True), "One run differs from nothing: give a second one"),
        ({}, {}, "No run is given"),
    ):
        with pytest.raises(ValueError, match=message):
            compare_segmentations(images, chosen, Choice(**options))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("one/a.png", Image.new("L", (8, 2)), r"Run 'one': .*one/a.png has 8 x 2 and the truth 8 x 1 pixels"),
        (
            "one/a.png",
            Image.new("L", (8, 1), 7),
            r"Run 'one': .*one/a.png: the prediction holds 7: expected are 0 to 1",
        ),
        ("one/a.png", Image.new("RGB", (8, 1)), r"one/a.png: it is in color .mode RGB"),
        ("one/a.png", b"nothing", r"one/a.png: the file cannot be read"),
        ("truth/a.png", Image.new("L", (8, 1), 7), r"Truth of image 'a': the label map holds 7: expected are 0 to 1"),
        ("truth/a.png", Image.new("RGB", (8, 1)), r"truth/a.png: it is in color .mode RGB"),
        ("images/a.png", Image.new("RGB", (9, 1)), r"images/a.png has 9 x 1 pixels and its label map 8 x 1"),
        ("images/a.png", b"nothing", r"images/a.png cannot be read as an image"),
        ("images/a.png", None, r"There is no image .*images/a.png"),
    ],
)
def test_files_that_do_not_fit(images, runs, folder, file, content, message) -> None:
    path = folder / file
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.save(path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        compare_segmentations(images, runs, Choice(1))
    assert compare_segmentations(images, runs, Choice(ids=["b"]))
