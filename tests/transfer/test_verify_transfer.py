"""Backbones of other families than ResNet in all three toolboxes; ResNets are in test_round_trip.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmdetpre.transfer import write_backbone
from mmdetpre.transfer.toolboxes import build_in_toolbox
from mmdetpre.transfer.verify_transfer import all_identical, arrivals_table, verify_transfer

CONFIGS = {
    "ConvNeXt": dict(type="ConvNeXt", arch=dict(depths=[1, 1, 1, 1], channels=[4, 8, 12, 16])),
    "Swin": dict(
        type="SwinTransformer", arch=dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]), window_size=4
    ),
    "ViT": dict(type="VisionTransformer", img_size=64, patch_size=16,
                arch=dict(embed_dims=64, num_layers=2, num_heads=1, feedforward_channels=128)),
    "EfficientNet": dict(type="EfficientNet", arch="b0"),
    "MobileNetV2": dict(type="MobileNetV2", widen_factor=0.25),
    "RegNet": dict(type="RegNet", arch="regnetx_400mf"),
    "EfficientNet-Lite": dict(type="TIMMBackbone", model_name="tf_efficientnet_lite0", features_only=True),
}  # fmt: skip
OUTPUTS = {"ViT": 2, "EfficientNet": 6, "EfficientNet-Lite": 5}


@pytest.mark.parametrize("family", CONFIGS)
def test_all_three_compute_the_same(family: str, fill: Callable, tmp_path: Path) -> None:
    if family == "EfficientNet-Lite":
        pytest.importorskip("timm")
    write_backbone(tmp_path / "x.pth", fill(build_in_toolbox("mmpretrain", CONFIGS[family])).state_dict())
    arrivals = verify_transfer(tmp_path / "x.pth")
    assert [arrival.toolbox for arrival in arrivals] == ["mmdet", "mmsegmentation", "mmpretrain"]
    assert all_identical(arrivals), arrivals_table(arrivals)
    for arrival in arrivals:
        assert arrival.verdict in ("complete", "expected") and arrival.taken >= 30
        assert len(arrival.shapes) == len(arrival.differences) == OUTPUTS.get(family, 4)
    shown = arrivals_table(arrivals)
    assert "outputs of forward(): 1x" in shown and f"{arrivals[0].type} " in shown


def test_a_backbone_of_no_known_family_needs_a_config(fill: Callable, tmp_path: Path) -> None:
    config = dict(type="mmpretrain.VGG", depth=11, out_indices=(3, 4), norm_cfg=dict(type="BN"))
    write_backbone(tmp_path / "x.pth", fill(build_in_toolbox("mmpretrain", config)).state_dict())
    with pytest.raises(ValueError, match="unknown family, which no toolbox builds by its form alone"):
        verify_transfer(tmp_path / "x.pth", prefix="")
    arrivals = verify_transfer(tmp_path / "x.pth", backbone=config)
    assert all_identical(arrivals) and {arrival.type for arrival in arrivals} == {"mmpretrain.VGG"}
    assert all(arrival.verdict == "complete" for arrival in arrivals)


def test_the_image_decides_what_is_compared(fill: Callable, tmp_path: Path) -> None:
    write_backbone(tmp_path / "x.pth", fill(build_in_toolbox("mmpretrain", CONFIGS["MobileNetV2"])).state_dict())
    arrivals = verify_transfer(tmp_path / "x.pth", image=torch.zeros(1, 3, 64, 96))
    assert arrivals[0].shapes[-1][2:] == (2, 3)
