from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
import torchvision
import yaml
from mmengine.config import Config

from mmdetpre.transfer import CheckpointError, load_backbone, read_checkpoint
from mmdetpre.transfer.families import FAMILIES
from mmdetpre.transfer.preprocessing import from_config, of_checkpoint
from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.zoo import PublishedWeights, names
from mmdetpre.zoo.published import PUBLISHED, TABLE, read_table

RESNET18, TWO = "zoo:resnet18/imagenet1k-v1", "zoo:resnet50/coco-faster-rcnn-1x"


@pytest.fixture
def publish(server, monkeypatch: pytest.MonkeyPatch):
    """Serves what a name of the zoo stands for."""
    address, served = server

    def serve(name: str, content: dict, sha256: str | None = None) -> PublishedWeights:
        torch.save(content, served / "weights.pth")
        entry = next(entry for entry in PUBLISHED if entry.name == name)
        sha256 = sha256 or file_sha256(served / "weights.pth")[:8]
        served_entry = replace(entry, address=f"{address}/weights.pth", sha256=sha256)
        monkeypatch.setattr(names, "ZOO", (served_entry,))
        return served_entry

    return serve


def test_a_name_is_fetched_once_and_fits(publish, server) -> None:
    from mmdet.models.backbones import ResNet

    source = torchvision.models.resnet18()
    source(torch.rand(2, 3, 32, 32))  # statistics that are not those of a new network
    publish(RESNET18, source.state_dict())
    report = load_backbone(ResNet(18), RESNET18)
    assert report.good, report.reasons
    (server[1] / "weights.pth").unlink()
    found = of_checkpoint(read_checkpoint(RESNET18), "other")
    assert found is not None and (found.mean[0], found.channel_order, found.style) == (123.675, "rgb", "pytorch")


def test_the_config_of_a_published_detector_stays_with_its_weights(publish) -> None:
    weights = {f"backbone.{key}": value for key, value in torchvision.models.resnet18().state_dict().items()}
    publish(TWO, {"meta": {"config": "model = dict(type='FasterRCNN')"}, "state_dict": weights})
    checkpoint = read_checkpoint(TWO)
    assert "FasterRCNN" in checkpoint.config_text and checkpoint.backbone_metadata["preprocessing"]["mean"]


def test_another_file_is_refused_and_not_kept(publish, server, tmp_path: Path) -> None:
    entry = publish(RESNET18, torchvision.models.resnet18().state_dict(), sha256="0" * 8)
    with pytest.raises(CheckpointError, match=r'has not the file that zoo:resnet18/imagenet1k-v1 names: .*"0{8}"'):
        read_checkpoint(RESNET18)
    assert not list((tmp_path / "hub").rglob("*.pth"))
    entry = publish(RESNET18, torchvision.models.resnet18().state_dict())
    entry.path().write_bytes(b"changed in the cache")
    with pytest.raises(CheckpointError, match=r"SHA-256 begins with .* Remove it, so that http://.* is fetched again"):
        read_checkpoint(RESNET18)


def test_without_a_network_there_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    entry = next(entry for entry in PUBLISHED if entry.name == RESNET18)
    monkeypatch.setattr(names, "ZOO", (replace(entry, address="http://127.0.0.1:9/resnet18.pth"),))
    with pytest.raises(CheckpointError, match="127.0.0.1:9/resnet18.pth, which cannot be fetched: .* give the path"):
        read_checkpoint(RESNET18)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("zoo:resnet50/imagenet", "near are zoo:resnet50/imagenet1k-v[12],"),
        ("zoo:resnet-50/imagenet1k-v2", "near are zoo:resnet50/imagenet1k-v2,"),
        ("zoo:?", "its backbones are efficientnet-lite0, convnext-tiny,"),
    ],
)
def test_an_unknown_name_lists_those_that_are_near(name: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(name)


def metafile_models(path: Path) -> list[dict]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [model for model in (content["Models"] if isinstance(content, dict) else content) if "Weights" in model]


def test_each_row_is_what_its_library_says() -> None:
    """Addresses, and with them digests, of the installed libraries; DINOv2's are those of its README."""
    site = {box: Path(find_spec(box).submodule_search_locations[0], ".mim") for box in ("mmdet", "mmpretrain")}
    models = {
        (box, model["Name"]): model
        for box, folder in site.items()
        for path in folder.glob("configs/*/metafile.y*ml")
        for model in metafile_models(path)
    }
    for entry in PUBLISHED:
        library, known = entry.source.split(" ")
        if library == "torchvision":
            found = torchvision.models.get_weight(known)
            assert entry.address == found.url
            transforms = found.transforms()
            if hasattr(transforms, "mean"):
                assert entry.mean == pytest.approx([255 * value for value in transforms.mean])
        elif library == "timm":
            config = timm.get_pretrained_cfg(known)
            assert entry.address == f"https://huggingface.co/{config.hf_hub_id}/resolve/main/model.safetensors"
            assert entry.license.lower() == config.license
            assert entry.mean == pytest.approx([255 * value for value in config.mean])
            assert entry.std == pytest.approx([255 * value for value in config.std])
        elif library in site:
            model = models[library, known]
            assert entry.address == model["Weights"]
            for result in model.get("Results") or ():
                if "box AP" in result["Metrics"] and library == "mmdet":
                    assert f"(box AP {result['Metrics']['box AP']})" in entry.pretrained_on
            told = from_config(Config.fromfile(site[library] / model["Config"], import_custom_modules=False))
            assert (told.mean, told.std, told.channel_order) == (entry.mean, entry.std, entry.channel_order)
            assert told.style == entry.style
        else:
            assert entry.address.startswith("https://dl.fbaipublicfiles.com/dinov2/") and entry.sha256 is None
        if entry.sha256 is not None:
            assert entry.address.endswith(f"-{entry.sha256}.pth")
    assert {entry.family for entry in names.ZOO} <= {family.name for family in FAMILIES}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("sha256", "digest", 1), "has the columns"),
        (lambda text: text + text.splitlines()[1] + "\n", "twice"),
        (lambda text: text.replace("https://download", "file:///download", 1), "line 2: address is not of its form"),
        (lambda text: text.replace("050731f4,", "not known,", 1), "line 2: sha256"),
        (lambda text: re.sub("\n(.*?)\n", r"\n\1,more\n", text, count=1), "line 2: a further column"),
        (lambda text: re.sub("\n(.*?),.*\n", r"\n\1\n", text, count=1), "line 2: family"),
    ],
)
def test_a_table_of_another_form_is_refused(change, said: str, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(change(TABLE.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_table(table)
