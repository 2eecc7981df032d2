"""Backbones for others: into a folder, into a repository of a local Hub, and back into the three toolboxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mmdetpre.transfer import load_backbone, read_checkpoint
from mmdetpre.transfer import share_backbone as module
from mmdetpre.transfer.share_backbone import share_backbone, without_folders
from mmdetpre.transfer.share_target import FolderTarget, share_target
from mmdetpre.transfer.toolboxes import build_in_toolbox
from mmdetpre.transfer.verify_transfer import Arrival
from mmdetpre.zoo.hub_address import HubError

CONFIG = """
default_scope = 'mmdet'
model = dict(data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
             backbone=dict(type='ResNet', style='pytorch'))
train_dataloader = dict(dataset=dict(type='CocoDataset', data_root='/mnt/me/coco/', ann_file='a.json'))
"""
SMALL = dict(type="ResNet", depth=18, base_channels=8, stem_channels=8)


@pytest.fixture
def run(resnet: Callable, save: Callable) -> str:
    """A checkpoint of a training."""
    state = resnet().state_dict()
    return save(state, "backbone.", meta={"cfg": CONFIG, "epoch": 12})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verified without the toolboxes, whose backbones other tests build."""
    proof = [Arrival("mmdet", "mmdet.ResNet", "complete", "ab", (0.0,), ((1,),), 1)]
    monkeypatch.setattr(module, "verify_transfer", lambda path, prefix, backbone: proof)


def shared(run: str, target: str, **options: Any) -> Any:
    place = share_target(target, **{k: options.pop(k) for k in ("public", "overwrite") if k in options})
    assert place is not None
    return share_backbone(run, place, **options)


def test_what_is_one_file_and_what_is_shared(tmp_path: Path) -> None:
    assert share_target("a.pth") is None and share_target(str(tmp_path / "b.safetensors")) is None
    for folder in (tmp_path, f"{tmp_path}/r50.v2/", tmp_path / "new"):
        assert isinstance(share_target(str(folder)), FolderTarget)
    assert share_target("hf://lab/r50/ema.safetensors").file == "ema.safetensors"
    for wrong in ("hf://lab/r50/a.pth", "hf://lab/r50/a b.safetensors", "hf://lab", "hf://lab/r50/`x`.safetensors"):
        with pytest.raises(HubError, match="cannot be written: give hf://|is not of the form"):
            share_target(wrong)


def test_a_folder_holds_verified_weights_and_their_card(run: str, tmp_path: Path) -> None:
    found = shared(run, f"{tmp_path}/r18/", license="apache-2.0", datasets=["coco"], study="**It helps.**")
    assert found.where == str(tmp_path / "r18")
    assert sorted(path.name for path in (tmp_path / "r18").iterdir()) == ["README.md", "model.safetensors"]
    assert [arrival.verdict for arrival in found.proof] == ["complete"] * 3
    written = read_checkpoint(tmp_path / "r18")
    assert written.backbone_metadata == found.metadata
    assert found.metadata["source_dataset"] == "CocoDataset coco a.json" and found.metadata["checkpoint"] == "file.pth"
    assert str(tmp_path) not in repr(written.meta) and "/mnt/me" not in repr(written.meta)
    card = (tmp_path / "r18" / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---")[1])["license"] == "apache-2.0"
    assert found.metadata["digest"] in card and "channels rgb, style pytorch" in card and "**It helps.**" in card
    assert str(tmp_path) not in card and "/mnt/me" not in card


def test_nothing_there_is_replaced_unasked(run: str, tmp_path: Path, at_once: None) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("my own words")
    with pytest.raises(FileExistsError, match=r"README.md exists: .*--no-card, or .* with --overwrite\.$"):
        shared(run, str(folder))
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    shared(run, str(folder), card=False)
    assert (folder / "README.md").read_text() == "my own words"
    with pytest.raises(FileExistsError, match=r"model.safetensors exists: choose another place, or"):
        shared(run, str(folder), card=False)
    shared(run, str(folder), overwrite=True)
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("---\nlibrary_name: mmdetpre")


def test_what_cannot_be_verified_says_why(resnet: Callable, save: Callable, tmp_path: Path) -> None:
    weights = {"a.weight": torch.ones(2, 2), "b.weight": torch.ones(2)}
    found = shared(save(weights, "net."), f"{tmp_path}/odd/", prefix="net")
    assert found.proof.startswith("no toolbox builds it by its form alone (unknown family); --into CONFIG")
    card = (tmp_path / "odd" / "README.md").read_text()
    assert "Not verified: no toolbox builds it" in card and "names of tensors as in the network that it is of" in card


def test_toolboxes_that_disagree_stop_it(run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = [Arrival(box, box, "complete", box, (0.0,), ((1,),), 1) for box in ("mmdet", "mmpretrain")]
    monkeypatch.setattr(module, "verify_transfer", lambda path, prefix, backbone: proof)
    with pytest.raises(ValueError, match="do not agree on this file, and nothing was written"):
        shared(run, f"{tmp_path}/r18/")
    assert not (tmp_path / "r18").exists()


def test_a_backbone_of_a_config(run: str, tmp_path: Path) -> None:
    backbone = dict(SMALL, type="mmdet.ResNet", init_cfg=dict(type="Pretrained", checkpoint="/mnt/me/secret.pth"))
    found = shared(run, f"{tmp_path}/r18/", backbone=backbone)
    assert len(found.proof) == 3 and {arrival.type for arrival in found.proof} == {"mmdet.ResNet"}
    assert "secret" not in (tmp_path / "r18" / "README.md").read_text()


def test_a_repository_is_made_private_and_takes_one_commit(run: str, fake_hub: Any) -> None:
    found = shared(run, "hf://lab/r18", license="mit")
    assert fake_hub.private == {"lab/r18"} and len(fake_hub.commits) == 1
    files = fake_hub.repos["lab/r18"]["main"]
    assert sorted(files) == [".gitattributes", "README.md", "model.safetensors"]
    assert found.where.startswith(f"{fake_hub.endpoint}/lab/r18/commit/")
    assert b"checkpoint='hf://lab/r18'" in files["README.md"] and b"license: mit" in files["README.md"]
    digests = set()
    for package in ("mmdet", "mmseg", "mmpretrain"):
        report = load_backbone(build_in_toolbox(package, dict(SMALL)), "hf://lab/r18")
        assert report.verdict == "complete" and "commit " in report.source_description
        digests.add(report.digest)
    assert digests == {found.metadata["digest"]}


def test_a_repository_keeps_what_it_has(run: str, fake_hub: Any, at_once: None) -> None:
    fake_hub.add("lab/r18", {"README.md": b"my own words"})
    with pytest.raises(FileExistsError, match=r"^lab/r18 has README.md already: .*--no-card"):
        shared(run, "hf://lab/r18")
    shared(run, "hf://lab/r18", card=False)
    assert fake_hub.repos["lab/r18"]["main"]["README.md"] == b"my own words" and not fake_hub.private
    with pytest.raises(FileExistsError, match="has model.safetensors already"):
        shared(run, "hf://lab/r18", card=False)
    shared(run, "hf://lab/r18/ema.safetensors", card=False)
    shared(run, "hf://lab/r18", overwrite=True)
    assert fake_hub.repos["lab/r18"]["main"]["README.md"].startswith(b"---") and len(fake_hub.commits) == 3


def test_what_comes_in_the_meantime_is_not_replaced(
    run: str, fake_hub: Any, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.add("lab/r18", {})
    from huggingface_hub import HfApi

    preupload = HfApi.preupload_lfs_files

    def slow(self: Any, *arguments: Any, **options: Any) -> None:
        fake_hub.repos["lab/r18"]["main"]["README.md"] = b"of a colleague"
        preupload(self, *arguments, **options)

    monkeypatch.setattr(HfApi, "preupload_lfs_files", slow)
    with pytest.raises(HubError, match="answers 412 for hf://lab/r18"):
        shared(run, "hf://lab/r18")
    assert fake_hub.repos["lab/r18"]["main"] == {"README.md": b"of a colleague"}


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("nobody", "Nobody is logged in at http://127.0.0.1:.*: log in with `hf auth login`, or set HF_TOKEN"),
        ("another", r"refuses this for lab/r18 \(401\): log in with"),
        ("branch", "lab/r18 has no revision 'v2': give a branch"),
        ("down", "answers 503 for hf://lab/r18"),
    ],
)
def test_who_may_not_write_is_told_before_the_work(
    why: str, said: str, run: str, fake_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_checkpoint", lambda *arguments: pytest.fail("it has begun"))
    target = "hf://lab/r18"
    if why == "nobody":
        monkeypatch.delenv("HF_TOKEN")
    elif why == "another":
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    elif why == "branch":
        fake_hub.add("lab/r18", {})
        target += "@v2"
    else:
        fake_hub.status = 503
    with pytest.raises(HubError, match=said) as caught:
        shared(run, target)
    assert "\n" not in str(caught.value) and not fake_hub.commits


def test_paths_of_this_machine_are_left_out() -> None:
    assert without_folders("~/runs/a b/last.pth") == "last.pth"
    assert without_folders("work_dirs/run/last.pth") == "work_dirs/run/last.pth"
    assert without_folders("hf://lab/r50 zoo:resnet50/x and/or 1/2") == "hf://lab/r50 zoo:resnet50/x and/or 1/2"
