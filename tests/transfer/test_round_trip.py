"""mmdet -> file -> mmsegmentation -> file -> mmpretrain -> file -> mmdet: the same digest and not one bit changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from mmdetpre.transfer import export_backbone, load_backbone, write_backbone
from mmdetpre.transfer.toolboxes import build_in_toolbox
from mmdetpre.transfer.verify_transfer import all_identical, verify_transfer

DCN = dict(dcn=dict(type="DCN", deform_groups=2), stage_with_dcn=(False, False, True, True))
FORMS = {
    "18": dict(depth=18),
    "50": dict(depth=50),
    "101": dict(depth=101),
    "50-dcn": dict(depth=50, **DCN),
    "101-dcn": dict(depth=101, **DCN),
    "50-v1d": dict(depth=50, deep_stem=True, avg_down=True),
}


def build(package: str, width: int, form: dict) -> nn.Module:
    # mmpretrain's ResNet has no deformable convolutions; mmdet's serves there by its scope.
    kind = "mmdet.ResNet" if package == "mmpretrain" and "dcn" in form else f"{package}.ResNet"
    return build_in_toolbox(package, dict(type=kind, base_channels=width, stem_channels=width, init_cfg=None, **form))


def travel(source: nn.Module, width: int, form: dict, folder: Path) -> None:
    digest = write_backbone(folder / "0.pth", source.state_dict(), {"source_dataset": "drawn"})
    path = folder / "0.pth"
    for step, package in enumerate(("mmseg", "mmpretrain", "mmdet"), 1):
        module = build(package, width, form)
        report = load_backbone(module, path)
        assert report.verdict == "complete" and report.digest == digest, str(report)
        path = folder / f"{step}.pth"
        assert write_backbone(path, module.state_dict()) == digest
    theirs = module.state_dict()
    for name, ours in source.state_dict().items():
        assert theirs[name].dtype == ours.dtype
        # As bytes: equal floats may still differ in bits, as 0 and -0 do.
        assert torch.equal(theirs[name].reshape(-1).view(torch.uint8), ours.reshape(-1).view(torch.uint8)), name


@pytest.mark.parametrize("name", FORMS)
def test_round_trip(name: str, fill: Callable, tmp_path: Path) -> None:
    travel(fill(build("mmdet", 4, FORMS[name])), 4, FORMS[name], tmp_path)


def test_round_trip_in_full_size(fill: Callable, tmp_path: Path) -> None:
    travel(fill(build("mmdet", 64, FORMS["18"])), 64, FORMS["18"], tmp_path)


@pytest.mark.parametrize("name", ["18", "50", "50-dcn", "50-v1d"])
def test_all_three_compute_the_same(name: str, fill: Callable, tmp_path: Path) -> None:
    path = tmp_path / "backbone.pth"
    write_backbone(path, fill(build("mmdet", 8, FORMS[name])).state_dict())
    arrivals = verify_transfer(path)
    assert [arrival.toolbox for arrival in arrivals] == ["mmdet", "mmsegmentation", "mmpretrain"]
    assert all_identical(arrivals) and all(arrival.verdict == "complete" for arrival in arrivals)
    assert all(arrival.differences == (0, 0, 0, 0) for arrival in arrivals)


def test_a_difference_is_seen(fill: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmseg.models.backbones import ResNet

    write_backbone(tmp_path / "backbone.pth", fill(build("mmdet", 8, FORMS["18"])).state_dict())
    honest = ResNet.forward
    monkeypatch.setattr(ResNet, "forward", lambda self, x: (*honest(self, x)[:3], honest(self, x)[3] + 1e-3))
    arrivals = verify_transfer(tmp_path / "backbone.pth")
    assert not all_identical(arrivals)
    assert arrivals[1].differences[:3] == (0, 0, 0) and arrivals[1].differences[3] > 1e-4


@pytest.mark.parametrize("name", ["conv1.weight", "layer2.0.bn1.running_var", "layer4.1.conv2.weight"])
def test_one_changed_value_in_one_toolbox_is_seen(
    name: str, fill: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdetpre.transfer import verify_transfer as module

    write_backbone(tmp_path / "backbone.pth", fill(build("mmdet", 8, FORMS["18"])).state_dict())

    def tampered(backbone: nn.Module, *arguments, **options):
        report = load_backbone(backbone, *arguments, **options)
        if type(backbone).__module__.startswith("mmpretrain"):
            backbone.state_dict()[name].view(-1)[0] *= 1.01
        return report

    monkeypatch.setattr(module, "load_backbone", tampered)
    arrivals = verify_transfer(tmp_path / "backbone.pth")
    assert not all_identical(arrivals)
    assert arrivals[2].digest != arrivals[0].digest == arrivals[1].digest and not any(arrivals[1].differences)
    # The image alone does not show every change: a ReLU may hide it.
    assert any(arrivals[2].differences) or name != "conv1.weight"


def test_a_detector_checkpoint_travels_too(fill: Callable, tmp_path: Path) -> None:
    source = fill(build("mmdet", 4, FORMS["50"]))
    state = {f"backbone.{name}": tensor for name, tensor in source.state_dict().items()}
    torch.save({"state_dict": state | {"bbox_head.weight": torch.ones(2)}, "meta": {"epoch": 12}}, tmp_path / "run.pth")
    told = export_backbone(tmp_path / "run.pth", tmp_path / "0.pth")
    assert told["epoch"] == 12
    report = load_backbone(build("mmpretrain", 4, FORMS["50"]), tmp_path / "0.pth")
    assert report.verdict == "complete" and report.digest == told["digest"]
