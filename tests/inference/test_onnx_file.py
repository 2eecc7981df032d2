"""A network as an ONNX file: what onnxruntime computes is what PyTorch does, or there is no file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmdetpre.inference.onnx_file import RGBInput, check_onnx, largest_difference, write_onnx

onnx = pytest.importorskip("onnx", reason="OneDL's lock has no ONNX")
IMAGES = [torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(0)) * 255]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.conv(x),)


def test_a_file_is_written_with_its_difference(tmp_path: Path) -> None:
    module = RGBInput(Network(), (100, 110, 120), (50, 60, 70), bgr=True)
    largest = write_onnx(module, IMAGES, tmp_path / "a.onnx", ["map"], metadata={"checkpoint": "a.pth"})
    told = {prop.key: prop.value for prop in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert largest < 1e-5 and told["checkpoint"] == "a.pth" and float(told["largest_difference"]) < 1e-5


def test_a_file_that_computes_something_else_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"differ by \d\S* of the largest value, more than 0.001: .* is not written"):
        write_onnx(Network(), IMAGES, tmp_path / "a.onnx", ["map"], reference=lambda x: Network()(x))
    assert not list(tmp_path.iterdir())


def test_normalization_is_that_of_a_data_preprocessor() -> None:
    from mmdet.models import DetDataPreprocessor

    mean, std = [100.0, 110.0, 120.0], [50.0, 60.0, 70.0]
    rgb = torch.randint(0, 256, (3, 4, 4), dtype=torch.uint8)
    for order in ({"bgr_to_rgb": True}, {"bgr_to_rgb": False}):
        expected = DetDataPreprocessor(mean, std, **order)({"inputs": [rgb.flip(0)], "data_samples": None})["inputs"]
        found = RGBInput(nn.Identity(), mean, std, bgr=not order["bgr_to_rgb"])(rgb[None].float())
        torch.testing.assert_close(found, expected)


def test_what_is_known_before_a_model_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.onnx").touch()
    with pytest.raises(FileExistsError, match="add --overwrite"):
        check_onnx(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"needs the package onnxruntime, .* pip install 'mmdetpre\[onnx\]'"):
        check_onnx(tmp_path / "b.onnx")


def test_other_shapes_and_not_a_number_are_no_small_difference() -> None:
    one, other = np.ones((2, 2)), np.full((2, 2), np.nan)
    assert largest_difference([one], [one[:1]]) == float("inf")
    assert not largest_difference([one], [other]) <= 1e-3
