"""Backbones as ONNX files, of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmdetpre.inference.onnx_backbone import export_backbone_onnx
from mmdetpre.transfer import BackboneNotLoaded

onnxruntime = pytest.importorskip("onnxruntime", reason="OneDL's lock has no ONNX")
RESNET = dict(type="mmdet.ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=(1, 3))
TIMM = dict(type="mmdetpre.TIMMBackbone", model_name="mobilenetv3_small_050", features_only=True)
RGB = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)


def config_of(backbone: dict) -> Config:
    norm = dict(type="DetDataPreprocessor", mean=[120.0, 110, 100], std=[60.0, 60, 60], bgr_to_rgb=True)
    return Config(dict(default_scope="mmdet", model=dict(data_preprocessor=norm, backbone=backbone)))


def saved(backbone: dict, path: Path) -> torch.nn.Module:
    torch.manual_seed(0)
    module = MODELS.build(dict(backbone)).eval()
    torch.save({"state_dict": {f"backbone.{name}": value for name, value in module.state_dict().items()}}, path)
    return module


@pytest.mark.parametrize("backbone", [RESNET, TIMM], ids=["ResNet", "timm"])
def test_outputs_are_those_of_the_backbone_at_any_size(backbone: dict, tmp_path: Path) -> None:
    module = saved(backbone, tmp_path / "a.pth")
    path = tmp_path / "a.onnx"
    difference, shapes = export_backbone_onnx(config_of(backbone), tmp_path / "a.pth", path, (64, 64), image=RGB)
    assert difference < 1e-4
    session = onnxruntime.InferenceSession(path)
    pixels = torch.rand(3, 3, 96, 70) * 255
    with torch.no_grad():
        normal = (pixels - torch.tensor([120.0, 110, 100]).view(3, 1, 1)) / 60
        expected = [one.numpy() for one in module(normal)]
    found = session.run(None, {"image": pixels.numpy()})
    assert [one.name for one in session.get_outputs()] == list(shapes) and len(found) == len(expected)
    for a, b in zip(expected, found, strict=True):
        assert np.abs(a - b).max() < 1e-3 * np.abs(a).max()
    assert session.get_modelmeta().custom_metadata_map["digest"]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    saved(RESNET, tmp_path / "a.pth")
    with pytest.raises(BackboneNotLoaded):
        export_backbone_onnx(config_of({**RESNET, "depth": 34}), tmp_path / "a.pth", tmp_path / "a.onnx", (64, 64))
    with pytest.raises(ValueError, match="has no model.backbone"):
        export_backbone_onnx(Config(dict(model=dict())), tmp_path / "a.pth", tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
