from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mmdetpre.analysis.mask_out.report import MaskOutReport, mask_out_images
from mmdetpre.inference.classifier import Classifier
from mmdetpre.transfer.preprocessing import Preprocessing
from mmdetpre.utils.results import read_results, write_results


class Bright(nn.Module):
    """Probability of "day" is the mean over the right half of the first channel, of images from 0 to 1."""

    def forward(self, images: Tensor, mode: str) -> list[SimpleNamespace]:
        assert mode == "predict"
        day = images[:, 0, :, images.shape[3] // 2 :].mean(dim=(1, 2))
        return [SimpleNamespace(pred_score=torch.stack([1 - one, one])) for one in day]


def bright(classes: tuple[str, ...] = ("night", "day"), order: str = "rgb", mean: float = 0.0) -> Classifier:
    ready = Preprocessing((mean,) * 3, (255.0,) * 3, order)
    return Classifier(Bright(), classes, ready, torch.device("cpu"))


SIZES = dict(resize_edge=8, crop=8, mask=4, stride=4)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Red 255, blue 51."""
    (tmp_path / "day").mkdir()
    pixels = np.zeros((8, 12, 3), np.uint8) + np.array([255, 0, 51], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "day" / "1.png")
    return tmp_path / "day" / "1.png"


def test_every_classifier_sees_the_same_pixels_in_its_own_order(photo: Path) -> None:
    (image,) = mask_out_images({"red": bright(), "blue": bright(order="bgr")}, [photo], **SIZES).images
    assert image.label == "day" and image.pixels.shape == (8, 8, 3) and image.pixels[0, 0].tolist() == [255, 0, 51]
    np.testing.assert_allclose(image.found["red"].probability, [[1, 0.5], [1, 0.5]])
    np.testing.assert_allclose(image.found["blue"].probability, [[0.2, 0.1], [0.2, 0.1]], rtol=1e-6)
    assert image.found["red"].unmasked == 1 and (image.found["red"].lowest.y, image.found["red"].lowest.x) == (0, 4)


def test_a_mask_may_have_a_gray_level(photo: Path) -> None:
    for classifier, gray, expected in ((bright(), 51, 0.6), (bright(), None, 0.5), (bright(), 255, 1.0)):
        (image,) = mask_out_images({"a": classifier}, [photo], gray=gray, **SIZES).images
        np.testing.assert_allclose(image.found["a"].probability[:, 1], expected, rtol=1e-6)
    report = mask_out_images({"a": bright(mean=51)}, [photo], gray=51, **SIZES)  # its mean: black for the network
    (image,) = report.images
    np.testing.assert_allclose(image.found["a"].probability[:, 1], 0.4, rtol=1e-6)


def test_numbers_are_written(photo: Path, tmp_path: Path) -> None:
    models = {"a": bright(), "b": bright(("day", "night"))}
    report = mask_out_images(models, [photo, photo], labels=["night"], **SIZES)
    assert report.images[0].found["a"].unmasked == 0 and report.images[0].found["b"].unmasked == 1
    lines = [line.split() for line in str(report).splitlines()]
    assert ["1.png", "night", "b", "1.0000", "0.5000", "4,", "0", "0.7500"] in lines
    write_results(tmp_path / "new" / "a.json", [report])
    content = json.loads((tmp_path / "new" / "a.json").read_text())
    assert content["format"] == "mmdetpre mask-out"
    assert list(content["images"][1]) == ["image", "class", "classifiers"] and content["settings"]["mask"] == 4
    assert content["settings"]["grey"] is None  # the key of files of all versions
    one = content["images"][1]["classifiers"]["b"]
    assert one["xs"] == [0, 4] and one["lowest"] == dict(x=4, y=0, probability=0.5)
    assert set(one) == {"unmasked", "lowest", "mask", "size", "xs", "ys", "probability"}
    (again,) = read_results(tmp_path / "new" / "a.json", MaskOutReport, "mask_out.py")
    assert again.to_dict() == report.to_dict() and str(again) == str(report)
    write_results(tmp_path / "new" / "a.csv", [report])
    with (tmp_path / "new" / "a.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["classifier"] == "b"][:5]
    assert [(row["x"], row["y"]) for row in rows] == [("", ""), ("0", "0"), ("4", "0"), ("0", "4"), ("4", "4")]
    assert [float(row["probability"]) for row in rows[1:]] == np.ravel(one["probability"]).tolist()


def test_says_what_is_wrong(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "dusk" / "1.png"
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    a, diverged = bright(), bright(mean=float("nan"))
    for models, images, options, message in (
        (
            {"a": a},
            [other],
            {},
            "a: There is no class 'dusk': .* or a name: .*name of the image's folder: name .*--label",
        ),
        (
            {"a": a},
            [photo],
            dict(labels=["2"]),
            "no class number 2: give a number from 0 to 1, or a name: night, day.$",
        ),
        (
            {"a": a, "b": bright(("day", "night"))},
            [photo],
            dict(labels=["0"]),
            "Class 0 is 'night' for a and 'day' for b",
        ),
        ({"a": a}, [photo], dict(gray=256), "gray level of the mask is 256"),
        ({"a": a}, [photo], dict(mask=9), "mask of 9 pixels does not fit an image of 8"),
        ({"a": a}, [photo], dict(stride=0), "stride is 0"),
        ({"b": a, "a": diverged}, [photo], {}, "a on .*1.png: The classifier gives nan .* diverged"),
    ):
        with pytest.raises(ValueError, match=message):
            mask_out_images(models, images, **(SIZES | options))
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        mask_out_images({"a": a}, ["nowhere.png"], labels=["day"], **SIZES)
