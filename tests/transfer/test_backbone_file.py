from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.models.backbones import ResNet

from mmdetpre.transfer import (
    BackboneNotLoaded,
    CheckpointError,
    export_backbone,
    load_backbone,
    read_checkpoint,
    weights_digest,
    write_backbone,
)
from mmdetpre.transfer.preprocessing import IMAGENET

CONFIG = """
default_scope = 'mmdet'
model = dict(data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
             backbone=dict(type='ResNet', style='pytorch'))
train_dataloader = dict(dataset=dict(type='ChipDataset', dataset=dict(
    type='PackedCocoDataset', data_root='data/coco/')))
"""


def test_export_keeps_weights_and_tells_their_origin(resnet: Callable, save: Callable, tmp_path: Path) -> None:
    source = resnet()
    path = save(source.state_dict(), "backbone.", meta={"cfg": CONFIG, "epoch": 14, "iter": 900})
    told = export_backbone(path, tmp_path / "new" / "backbone.pth", metadata={"note": "mine"})
    found = read_checkpoint(tmp_path / "new" / "backbone.pth")
    metadata = found.backbone_metadata
    assert metadata["digest"] == told["digest"] and metadata["note"] == "mine"
    assert metadata["toolbox"] == "mmdet" and metadata["source_dataset"] == "PackedCocoDataset data/coco/"
    assert (metadata["epoch"], metadata["iter"]) == (14, 900)
    assert metadata["preprocessing"] == IMAGENET.to_dict()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in source.state_dict().items())
    again = export_backbone(tmp_path / "new" / "backbone.pth", tmp_path / "again.pth")
    assert again["source_dataset"] == metadata["source_dataset"] and again["digest"] == metadata["digest"]
    # mmengine's own initializer takes the file as well.
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "again.pth"))
    module = ResNet(18, base_channels=8, stem_channels=8, init_cfg=init_cfg)
    module.init_weights()
    assert torch.equal(module.layer4[1].conv2.weight, source.layer4[1].conv2.weight)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("there.pth", FileExistsError, "exists"),
        ("there.pth/inside/b.pth", NotADirectoryError, "is a file, not a folder"),
        ("b.onnx", ValueError, "ends in .pth or .safetensors"),
    ],
)
def test_outputs_that_cannot_be(resnet: Callable, tmp_path: Path, name: str, error: type, message: str) -> None:
    (tmp_path / "there.pth").write_text("mine")
    with pytest.raises(error, match=message):
        write_backbone(tmp_path / name, resnet().state_dict())
    assert (tmp_path / "there.pth").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["there.pth"]


def test_a_failed_write_leaves_the_old_file(resnet: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.pth").write_text("mine")

    def full(*arguments, **options) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        write_backbone(tmp_path / "b.pth", resnet().state_dict(), overwrite=True)
    assert (tmp_path / "b.pth").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_overwrite_on_request(resnet: Callable, tmp_path: Path) -> None:
    (tmp_path / "b.pth").write_text("old")
    digest = write_backbone(tmp_path / "b.pth", resnet().state_dict(), overwrite=True)
    assert read_checkpoint(tmp_path / "b.pth").backbone_metadata["digest"] == digest
    assert (tmp_path / "b.pth").stat().st_mode & 0o444 == 0o444


def test_metadata_are_plain_values(resnet: Callable, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain values only"):
        write_backbone(tmp_path / "b.pth", resnet().state_dict(), {"config": tmp_path})
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_for_a_bad_source(tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError):
        export_backbone(tmp_path / "bad.pth", tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_files_exported_before_there_were_families_are_unchanged(tmp_path: Path) -> None:
    """Their digest is of names as they were: of a MobileNetV2, whose canonical names are others now."""
    from mmpretrain.models.backbones import MobileNetV2

    module = MobileNetV2(widen_factor=0.25)
    state = {name: tensor + 0.5 if name.endswith("mean") else tensor for name, tensor in module.state_dict().items()}
    earlier = weights_digest(state)
    torch.save({"meta": {"mmdetpre_backbone": {"digest": earlier}}, "state_dict": state}, tmp_path / "x.pth")
    report = load_backbone(module, tmp_path / "x.pth")
    assert report.verdict == "complete" and report.digest != earlier
    state["conv1.conv.weight"] = state["conv1.conv.weight"] + 1
    torch.save({"meta": {"mmdetpre_backbone": {"digest": earlier}}, "state_dict": state}, tmp_path / "x.pth")
    with pytest.raises(BackboneNotLoaded, match="changed since the file was exported"):
        load_backbone(module, tmp_path / "x.pth")
