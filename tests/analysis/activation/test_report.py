from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mmdetpre.analysis.activation.activation import activation_map
from mmdetpre.analysis.activation.report import ActivationReport, activations_of_images
from mmdetpre.analysis.features.extract import FeatureSource
from mmdetpre.transfer.preprocessing import Preprocessing
from mmdetpre.utils.results import read_results, write_results


def source(order: str, factor: float = 1.0) -> FeatureSource:
    """A network whose conv5 is the first channel at half the size, times a factor, and its negative double."""

    def read(images: Tensor) -> dict[str, Tensor]:
        half = factor * images[:, :1, ::2, ::2]
        return {"conv5": torch.cat([half, -3 * half], dim=1)}

    return FeatureSource(read, Preprocessing((0.0,) * 3, (1.0,) * 3, order), "cpu", {})  # type: ignore[arg-type]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    return tmp_path / "1.png"


def test_same_pixels_for_all_models(photo: Path, tmp_path: Path) -> None:
    report = activations_of_images({"red": source("rgb"), "blue": source("bgr")}, "conv5", [photo], resize_edge=10)
    images = report.images
    pixels = np.array(Image.open(photo))
    assert np.array_equal(images[0].pixels, pixels)
    for name, channel in (("red", 0), ("blue", 2)):
        expected = -pixels[::2, ::2, channel].astype(np.float32)
        assert np.array_equal(images[0].means[name], expected)
        assert np.array_equal(images[0].maps[name], activation_map(expected[None], (10, 16)))

    report.save_arrays(tmp_path / "new" / "a.npz")
    with np.load(tmp_path / "new" / "a.npz") as stored:
        assert stored["models"].tolist() == ["red", "blue"] and stored["images"].tolist() == [str(photo)]
        assert np.array_equal(stored["mean_0_1"], images[0].means["blue"])
    write_results(tmp_path / "a.csv", [report])
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 8 and rows[9]["row"] == "1" and rows[9]["column"] == "1"
    assert [float(row["mean"]) for row in rows[40:]] == images[0].means["blue"].ravel().tolist()
    write_results(tmp_path / "a.json", [report])
    (again,) = read_results(tmp_path / "a.json", ActivationReport, "activation_maps.py")
    assert again.to_dict() == report.to_dict() and str(again) == str(report) and "5x8" in str(report)


def test_names_model_and_image(photo: Path) -> None:
    for factor, message in ((float("nan"), "not finite"), (0.0, "there is nothing to show")):
        with pytest.raises(ValueError, match=f"conv5 of b on .*1.png: .*{message}"):
            activations_of_images({"a": source("rgb"), "b": source("rgb", factor)}, "conv5", [photo], resize_edge=10)
    with pytest.raises(FileNotFoundError, match="There is no image nowhere.png"):
        activations_of_images({"a": source("rgb")}, "conv5", [photo, "nowhere.png"])
