"""Frozen weights run in the form they were trained in: the strided network, or the same at more positions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torchvision
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmdetpre.transfer import load_backbone, read_checkpoint, write_backbone
from mmdetpre.transfer.checkpoint_reader import Checkpoint
from mmdetpre.transfer.trained_form import (
    TrainedForm,
    form_of_backbone,
    set_strides,
    stage_differences,
    take_trained_form,
    trained_form,
)

STRIDED = dict(strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1))
DILATED = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
DCN = dict(dcn=dict(type="mmdetpre.DCN", deform_groups=4), stage_with_dcn=(False, False, False, True))
CLASSIFICATION = TrainedForm(STRIDED["strides"], STRIDED["dilations"])


def build(kind: str, depth: int = 50, **options) -> nn.Module:
    torch.manual_seed(0)
    usual = dict(out_indices=(3,), norm_cfg=dict(type="BN"))
    return trained(MODELS.build(dict(type=kind, depth=depth, **(usual | options))))


def trained(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
    network.eval()
    return network


@torch.no_grad()
def last_map(backbone: nn.Module, side: int = 97) -> Tensor:
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    return backbone(images)[-1]


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("kind", ["mmdet.ResNet", "mmseg.ResNet", "mmpretrain.ResNet"])
@pytest.mark.parametrize("options", [dict(depth=18), dict(depth=50), dict(depth=50, style="caffe")], ids=str)
def test_the_dilated_copy_is_the_strided_network_at_its_positions(kind: str, options: dict) -> None:
    strided = build(kind, **options, **STRIDED)
    expected = last_map(strided)
    copy = build(kind, **options, **DILATED)
    copy.load_state_dict(strided.state_dict())
    as_configured = last_map(copy)
    said = take_trained_form(copy, CLASSIFICATION, dense=True)
    found = last_map(copy)
    assert expected.shape[2:] == (4, 4) and found.shape[2:] == (7, 7) and "a-trous, rates 1 1 1 2" in said
    assert distance(found[:, :, ::2, ::2], expected) < 3e-6
    if options.get("style") != "caffe":  # there the stride comes first, and mmdet dilates what is behind it
        assert distance(as_configured[:, :, ::2, ::2], expected) > 1e-3
    assert "as trained" in take_trained_form(copy, CLASSIFICATION)
    assert torch.equal(last_map(copy), expected)  # strided again, the same network


def test_torchvisions_network_in_the_deformable_backbone_of_the_detectors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    published = trained(torchvision.models.resnet50())
    torch.save(published.state_dict(), tmp_path / "resnet50.pth")
    read = read_checkpoint(tmp_path / "resnet50.pth")
    backbone = build("mmdet.ResNet", **DILATED, **DCN)
    names = list(backbone.state_dict())
    report = load_backbone(backbone, read)
    assert "strides 1 2 2 2" in report.stages["file"] and "strides 1 2 2 1" in report.stages["model"]
    assert "frozen weights do not" in str(report)
    trunk = nn.Sequential(*list(published.children())[:-2])
    images = torch.randn(2, 3, 97, 97, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = trunk(images)
    assert distance(last_map(backbone)[:, :, ::2, ::2], expected) > 1e-3
    take_trained_form(backbone, trained_form(read), dense=True)
    assert distance(last_map(backbone)[:, :, ::2, ::2], expected) < 3e-6
    take_trained_form(backbone, trained_form(read))
    assert distance(last_map(backbone), expected) < 3e-6
    assert list(backbone.state_dict()) == names  # the proof of the identical backbone stands


def test_every_stage_may_lack_its_stride() -> None:
    strided = build("mmdet.ResNet", 18, base_channels=8, stem_channels=8, **STRIDED)
    copy = build("mmdet.ResNet", 18, base_channels=8, stem_channels=8, strides=(1, 2, 1, 1), dilations=(1, 1, 1, 2))
    copy.load_state_dict(strided.state_dict())
    assert set_strides(copy, STRIDED["strides"], dense=True) == (1, 1, 2, 4)
    assert distance(last_map(copy)[:, :, ::4, ::4], last_map(strided)) < 3e-6
    with pytest.raises(ValueError, match="The backbone has strides 1 2 1 1, the weights were trained with 1 1 1 1"):
        set_strides(copy, (1, 1, 1, 1), dense=True)


def test_the_option_of_the_backbone_is_mmsegmentations() -> None:
    strided = build("mmdet.ResNet", **STRIDED)
    found = []
    for kind in ("mmdetpre.ResNet", "mmseg.ResNet"):
        backbone = build(kind, **DILATED, contract_dilation=True)
        assert backbone.state_dict().keys() == strided.state_dict().keys()
        backbone.load_state_dict(strided.state_dict())
        found.append(last_map(backbone))
    assert torch.equal(*found) and distance(found[0][:, :, ::2, ::2], last_map(strided)) < 3e-6
    plain, theirs = build("mmdetpre.ResNet", **DILATED, **DCN), build("mmdet.ResNet", **DILATED, **DCN)
    theirs.load_state_dict(plain.state_dict())
    assert torch.equal(last_map(plain), last_map(theirs))


def test_what_a_file_tells(tmp_path: Path) -> None:
    weights = build("mmdet.ResNet", 18, base_channels=8, stem_channels=8, **DILATED).state_dict()
    assert trained_form(Checkpoint("x.pth", "torch", None, weights)).strides == (1, 2, 2, 2)
    offsets = weights | {"layer4.0.conv2.conv_offset.weight": torch.zeros(1)}
    assert trained_form(Checkpoint("x.pth", "torch", None, offsets)) is None
    write_backbone(tmp_path / "old.pth", weights, {"toolbox": "mmdet"})
    assert trained_form(read_checkpoint(tmp_path / "old.pth")) is None  # exported before the form was
    write_backbone(tmp_path / "new.pth", weights, {key: list(value) for key, value in DILATED.items()})
    told = trained_form(read_checkpoint(tmp_path / "new.pth"))
    assert (told.strides, told.dilations, told.origin) == (*DILATED.values(), "its metadata")
    text = "model = dict(backbone=dict(type='ResNet', depth=101))"
    torch.save(
        {"meta": {"cfg": text}, "state_dict": {f"backbone.{k}": v for k, v in weights.items()}}, tmp_path / "c.pth"
    )
    told = trained_form(read_checkpoint(tmp_path / "c.pth"))
    assert told.runs_as(CLASSIFICATION) and told.origin == "its config"
    assert form_of_backbone(dict(type="SwinTransformer")) is None
    assert form_of_backbone(dict(type="ResNet", strides="many")) is None


def test_what_is_left_as_it_is() -> None:
    backbone = build("mmdet.ResNet", 18, base_channels=8, stem_channels=8, **DILATED)
    before = last_map(backbone)
    for form, said in (
        (None, "how the weights were trained is not known"),
        (TrainedForm(*DILATED.values(), "its metadata"), "which is how the weights were trained"),
        (TrainedForm((1, 2, 1, 1), (1, 1, 2, 4)), "though the weights were trained with strides 1 2 1 1"),
    ):
        assert said in take_trained_form(backbone, form) and torch.equal(last_map(backbone), before)
    assert stage_differences(backbone, None) == {} == stage_differences(nn.Conv2d(3, 3, 1), CLASSIFICATION)
    assert "not a ResNet" in take_trained_form(nn.Conv2d(3, 3, 1), CLASSIFICATION)
    with pytest.raises(ValueError, match="avg_down.*--conv5 config"):
        take_trained_form(build("mmdet.ResNet", avg_down=True, **DILATED), CLASSIFICATION)


def test_features_of_the_tool_are_those_of_the_classification_network(
    repository: Path, tmp_path: Path, run_tool_here
) -> None:
    from PIL import Image

    from mmdetpre.analysis.features.batches import normalize
    from mmdetpre.analysis.features.feature_file import read_features
    from mmdetpre.analysis.features.pixels import read_photo
    from mmdetpre.transfer.preprocessing import Preprocessing

    config = tmp_path / "detector.py"
    backbone = dict(type="mmdet.ResNet", depth=50, base_channels=4, stem_channels=4, out_indices=(3,), **DILATED, **DCN)
    preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
    config.write_text(
        "default_scope = 'mmpretrain'\ncustom_imports = dict(imports=['mmdetpre'])\n"
        f"model = dict(type='ImageClassifier', data_preprocessor={preprocessor}, backbone={backbone},"
        " neck=dict(type='GlobalAveragePooling'), head=dict(type='LinearClsHead', num_classes=2, in_channels=128))\n"
    )
    network = build("mmpretrain.ResNet", base_channels=4, stem_channels=4)
    torch.save(network.state_dict(), tmp_path / "classification.pth")
    for name, value in (("cat", 40), ("dog", 200)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        pixels = torch.randint(0, value, (70, 90, 3), generator=torch.Generator().manual_seed(value)).byte()
        Image.fromarray(pixels.numpy()).save(tmp_path / "photos" / name / "a.png")
    found = {}
    for form in ("trained", "config"):
        tool = repository / "tools/analysis_tools/extract_features.py"
        arguments = ["--images", tmp_path / "photos", "--resize-edge", "64", "--crop", "64", "--device", "cpu"]
        result = run_tool_here(
            tool, config, tmp_path / "classification.pth", "--layers", "conv5", "conv5_pooled", *arguments,
            "--out", tmp_path / form, "--conv5", form,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        found[form] = read_features(tmp_path / form)
    assert "Stages as trained: strides 1 2 2 2" in json.dumps(dict(found["trained"].metadata))
    photos = torch.stack([read_photo(tmp_path / "photos" / name / "a.png", 64, 64) for name in ("cat", "dog")])
    images = normalize(photos, Preprocessing(tuple(preprocessor["mean"]), tuple(preprocessor["std"]), "rgb"))
    with torch.no_grad():
        expected = network(images)[-1]
    conv5, pooled = (torch.from_numpy(found["trained"].layer(name).copy()) for name in ("conv5", "conv5_pooled"))
    assert conv5.shape == expected.shape and distance(conv5.float(), expected) < 2e-3  # files hold float16
    assert distance(pooled.float(), expected.mean(dim=(2, 3))) < 2e-3
    assert found["config"].layer("conv5").shape[2:] == (4, 4)
