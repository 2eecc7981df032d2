from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmdetpre.transfer import BackboneNotLoaded, write_backbone
from mmdetpre.transfer.toolboxes import build_in_toolbox

THIN = dict(depth=18, base_channels=8, stem_channels=8)


@pytest.fixture
def source(resnet: Callable, tmp_path: Path) -> Path:
    write_backbone(tmp_path / "given.pth", resnet().state_dict())
    return tmp_path / "given.pth"


@pytest.mark.parametrize("package", ["mmdet", "mmseg", "mmpretrain"])
@pytest.mark.parametrize("nested", [False, True])
def test_init_weights_loads_and_nothing_follows(package: str, nested: bool, source: Path, tmp_path: Path) -> None:
    """mmpretrain would set the last scale of each block to zero behind an initializer that it does not know."""
    init_cfg = dict(
        type="mmdetpre.PretrainedBackbone", checkpoint=str(source), report_file=str(tmp_path / "reports" / "r.json")
    )
    init_cfg = [dict(type="Kaiming", layer="Conv2d"), init_cfg] if nested else init_cfg
    module = build_in_toolbox(package, dict(type="ResNet", init_cfg=init_cfg, **THIN))
    module.init_weights()
    weights = torch.load(source)["state_dict"]
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    report = json.loads((tmp_path / "reports" / "r.json").read_text())
    assert report["verdict"] == "complete" and report["loaded"] and len(report["matched"]) == len(weights)


def test_a_bad_file_raises(source: Path) -> None:
    init_cfg = dict(type="mmdetpre.PretrainedBackbone", checkpoint=str(source))
    module = build_in_toolbox("mmdet", dict(type="ResNet", init_cfg=init_cfg, **{**THIN, "depth": 34}))
    with pytest.raises(BackboneNotLoaded, match="wrong depth"):
        module.init_weights()
    style = dict(init_cfg, preprocessing=dict(channel_order="bgr"))
    content = torch.load(source)
    content["meta"]["mmdetpre_backbone"]["preprocessing"] = {"channel_order": "rgb"}
    torch.save(content, source)
    module = build_in_toolbox("mmdet", dict(type="ResNet", init_cfg=style, **THIN))
    with pytest.raises(BackboneNotLoaded, match="channel order: file rgb, model bgr"):
        module.init_weights()


def test_an_initializer_behind_it_is_refused(source: Path) -> None:
    own = dict(type="mmdetpre.PretrainedBackbone", checkpoint=str(source))
    init_cfg = [own, dict(type="Kaiming", layer="Conv2d")]
    module = build_in_toolbox("mmdet", dict(type="ResNet", init_cfg=init_cfg, **THIN))
    with pytest.raises(ValueError, match="init_cfg ends in 'Kaiming'"):
        module.init_weights()


def test_one_process_writes_the_report(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdetpre.transfer.pretrained_backbone.is_main_process", lambda: False)
    init_cfg = dict(type="mmdetpre.PretrainedBackbone", checkpoint=str(source), report_file=str(tmp_path / "r.json"))
    module = build_in_toolbox("mmdet", dict(type="ResNet", init_cfg=init_cfg, **THIN))
    module.init_weights()
    assert torch.equal(module.conv1.weight, torch.load(source)["state_dict"]["conv1.weight"])
    assert not (tmp_path / "r.json").exists()
