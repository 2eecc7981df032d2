"""Networks as ONNX files: what onnxruntime computes is what PyTorch does, or there is no file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmdetpre.inference.onnx_file import check_onnx, export_backbone_onnx, largest_difference, write_onnx
from mmdetpre.transfer import BackboneNotLoaded

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'mmdetpre[onnx]'")
MEAN, STD = [100.0, 110.0, 120.0], [50.0, 60.0, 70.0]
RESNET = dict(type="mmdet.ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=(1, 3))


def config_of(**backbone: object) -> Config:
    norm = dict(type="DetDataPreprocessor", mean=MEAN, std=STD, bgr_to_rgb=False)
    return Config(dict(default_scope="mmdet", model=dict(data_preprocessor=norm, backbone=backbone)))


@pytest.fixture
def resnet(tmp_path: Path) -> nn.Module:
    """A backbone with running statistics, saved as a.pth."""
    torch.manual_seed(0)
    module: nn.Module = MODELS.build(RESNET)
    module(torch.randn(4, 3, 64, 64))
    module.eval()  # of mmdet's ResNet it gives nothing
    torch.save(
        {"state_dict": {f"backbone.{key}": value for key, value in module.state_dict().items()}}, tmp_path / "a.pth"
    )
    return module


def test_a_backbone_gives_the_same_at_any_size(resnet: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    difference, shapes = export_backbone_onnx(config_of(**RESNET), tmp_path / "a.pth", path, (64, 64), any_size=True)
    assert difference < 1e-4 and shapes == {"output_0": (2, 8, 8, 8), "output_1": (2, 32, 2, 2)}
    session = onnxruntime.InferenceSession(path)
    rgb = torch.rand(3, 3, 96, 70) * 255
    with torch.no_grad():
        expected = resnet((rgb.flip(1) - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1))
    found = session.run([*shapes], {"image": rgb.numpy()})
    assert largest_difference([one.numpy() for one in expected], found) < 1e-4
    told = session.get_modelmeta().custom_metadata_map
    assert (
        told["digest"]
        and told["checkpoint"] == "a.pth"
        and float(told["largest_difference"]) == pytest.approx(difference, rel=0.01)
    )


@pytest.mark.usefixtures("resnet")
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneNotLoaded):
        export_backbone_onnx(config_of(**{**RESNET, "depth": 34}), tmp_path / "a.pth", tmp_path / "a.onnx", (64, 64))
    with pytest.raises(ValueError, match="has no model.backbone"):
        export_backbone_onnx(Config(dict(model=dict())), tmp_path / "a.pth", tmp_path / "a.onnx", (64, 64))
    assert not (tmp_path / "a.onnx").exists()


class OneSize(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x + torch.ones(6, 8),)


@pytest.mark.parametrize(
    ("any_size", "reference", "message"),
    [
        (True, None, "PyTorch's exporter cannot write this network. Leave out --any-size. It says: "),
        (False, lambda x: (x + 2,), r"differ by 0\.\d* of the largest value, more than 0.001: .* is not written"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(any_size: bool, reference: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write_onnx(
            OneSize(),
            [torch.ones(2, 3, 6, 8)],
            tmp_path / "a.onnx",
            ["map"],
            any_size=any_size,
            metadata={},
            reference=reference,
        )
    assert not list(tmp_path.iterdir())


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
