"""Repositories of a local Hub: what is fetched, what is refused, one sentence each."""

from __future__ import annotations

import builtins
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save

from mmdetpre.transfer import CheckpointError, read_checkpoint
from mmdetpre.zoo import hub, names
from mmdetpre.zoo.hub import open_repository
from mmdetpre.zoo.hub_address import HubAddress, HubError
from mmdetpre.zoo.published import PUBLISHED

WEIGHTS = {"conv1.weight": torch.arange(4.0), "bn1.bias": torch.ones(2)}
SAVED = save(WEIGHTS)


def fetched(fake_hub: Any) -> list[str]:
    """Files that were sent."""
    return [path.rsplit("/", 1)[-1] for path in fake_hub.requests if path.startswith("GET") and "/resolve/" in path]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://lab/r50", HubAddress("lab/r50")),
        ("hf://lab/r.50-x_1/a/b.pth", HubAddress("lab/r.50-x_1", "a/b.pth")),
        ("hf://lab/r50@v1", HubAddress("lab/r50", "", "v1")),
        ("hf://lab/r50@v1.0/a.bin", HubAddress("lab/r50", "a.bin", "v1.0")),
        ("hf://lab/r50@refs/pr/3/a.bin", HubAddress("lab/r50", "a.bin", "refs/pr/3")),
        ("hf://lab/r50/a b.safetensors@feature/x", HubAddress("lab/r50", "a b.safetensors", "feature/x")),
    ],
)
def test_addresses(text: str, address: HubAddress) -> None:
    assert HubAddress.read(text) == address
    assert HubAddress.read(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://lab", "hf://lab/", "hf:/lab/r50", "hf://lab/r50/../other", "hf://lab/r50//a", "hf://lab/r50@",
     "hf://lab/r50@a/b.pth@c", "hf://../r50", "hf://lab/r50/a\nb", "hf://lab/r50?x=1", "hf://lab/r50/./a.pth"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(HubError, match=r"is not of the form hf://USER/REPO, hf://USER/REPO/FILE or") as caught:
        HubAddress.read(text)
    assert "\n" not in str(caught.value)


def test_the_usual_file_is_read_and_kept(fake_hub: Any) -> None:
    fake_hub.add("lab/r50", {"README.md": b"x", "pytorch_model.bin": b"", "model.safetensors": SAVED, "run.py": b"1/0"})
    found = read_checkpoint("hf://lab/r50")
    assert found.kind == "safetensors" and set(found.tensors) == set(WEIGHTS)
    assert found.source == "hf://lab/r50" and found.commit == f"commit {fake_hub.commit_of('lab/r50', 'main')[:12]}"
    read_checkpoint("hf://lab/r50")
    assert fetched(fake_hub) == ["model.safetensors"]


def test_the_only_file_and_a_named_one(fake_hub: Any, tmp_path: Path) -> None:
    torch.save({"state_dict": WEIGHTS}, tmp_path / "a.pth")
    saved = (tmp_path / "a.pth").read_bytes()
    fake_hub.add("lab/one", {"README.md": b"", "weights/epoch_12.pth": saved})
    assert read_checkpoint("hf://lab/one").entry == "state_dict"
    fake_hub.add("lab/two", {"a.pth": saved, "b.safetensors": SAVED})
    with pytest.raises(CheckpointError, match=r"several files of weights: give one, hf://lab/two/FILE, of a.pth, b"):
        read_checkpoint("hf://lab/two")
    assert read_checkpoint("hf://lab/two/b.safetensors").kind == "safetensors"


def test_revisions(fake_hub: Any) -> None:
    fake_hub.add("lab/r50", {"model.safetensors": SAVED})
    fake_hub.add("lab/r50", {"model.safetensors": save({"a": torch.ones(1)})}, "v1")
    commit = fake_hub.commit_of("lab/r50", "v1")
    for revision in ("v1", commit):
        assert set(read_checkpoint(f"hf://lab/r50@{revision}").tensors) == {"a"}
    assert set(read_checkpoint("hf://lab/r50/model.safetensors@main").tensors) == set(WEIGHTS)
    with pytest.raises(CheckpointError, match=r"^lab/r50 has no revision 'v2': give a branch, tag or commit of it\.$"):
        read_checkpoint("hf://lab/r50@v2")


def shards(names: tuple[str, str] = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")) -> dict:
    index = {"metadata": {}, "weight_map": dict(zip(WEIGHTS, names, strict=True))}
    parts = {name: save({key: WEIGHTS[key]}) for name, key in zip(names, WEIGHTS, strict=True)}
    return {"model.safetensors.index.json": json.dumps(index).encode(), **parts}


def test_weights_in_several_files(fake_hub: Any) -> None:
    fake_hub.add("lab/big", shards())
    assert set(read_checkpoint("hf://lab/big").tensors) == set(WEIGHTS)
    fake_hub.add("lab/deep", {f"sub/{name}": content for name, content in shards().items()})
    found = read_checkpoint("hf://lab/deep/sub/model.safetensors.index.json")
    assert torch.equal(found.tensors["conv1.weight"], WEIGHTS["conv1.weight"])
    lost = shards()
    del lost["model-00002-of-00002.safetensors"]
    fake_hub.add("lab/lost", lost)
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002.safetensors is not in the repository\.$"):
        read_checkpoint("hf://lab/lost")
    fake_hub.add("lab/out", shards(("../a.safetensors", "b.safetensors")))
    with pytest.raises(CheckpointError, match="names '../a.safetensors', which is not a file beside it"):
        read_checkpoint("hf://lab/out")
    assert "a.safetensors" not in fetched(fake_hub)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://lab/nothing", "has no repository lab/nothing, or it is private: check its name, or log in with"),
        ("hf://lab/empty", r"hf://lab/empty has no weights: it is empty\.$"),
        ("hf://lab/pages", r"hf://lab/pages has no weights: its files are README.md, config.json\.$"),
        ("hf://lab/r50/ema.safetensors", r"lab/r50 has no file ema.safetensors; its files of weights are model.safet"),
        ("hf://lab/r50/run.py", "is not read: of a repository only .safetensors, .pth"),
        ("hf://lab/asked", "lab/asked is gated: ask for access at http://127.0.0.1:.*/lab/asked, then log in"),
        ("hf://lab/r--50", "is not a name of a repository"),
        ("hf://lab/pickled", "hf://lab/pickled is a pickle file: of the Hub only torch's own and safetensors are read"),
        ("hf://lab/trap", "holds more than tensors, numbers and plain containers"),
        ("hf://lab/page", "is not a checkpoint: it is a web page"),
    ],
)
def test_each_failure_is_one_sentence(address: str, said: str, fake_hub: Any, tmp_path: Path) -> None:
    import pickle

    import numpy as np

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "marker",)

    torch.save({"state_dict": WEIGHTS, "x": Trap()}, tmp_path / "trap.pth")
    repos = {
        "empty": {},
        "pages": {"README.md": b"", "config.json": b"{}"},
        "r50": {"model.safetensors": SAVED, "run.py": b"raise SystemExit"},
        "asked": {"model.safetensors": SAVED},
        "pickled": {"pytorch_model.bin": pickle.dumps({"model": {"w": np.ones(2)}})},
        "trap": {"pytorch_model.bin": (tmp_path / "trap.pth").read_bytes()},
        "page": {"pytorch_model.bin": b"<!doctype html>"},
    }
    for name, files in repos.items():
        fake_hub.add(f"lab/{name}", files)
    fake_hub.gated.add("lab/asked")
    with pytest.raises(CheckpointError, match=said) as caught:
        read_checkpoint(address)
    assert "\n" not in str(caught.value) and not (tmp_path / "marker").exists()


@pytest.mark.parametrize("size", [33 << 30, None])
def test_what_is_too_large_is_not_fetched(size: int | None, fake_hub: Any) -> None:
    fake_hub.add("lab/llm", shards())
    fake_hub.sizes["lab/llm", "model-00001-of-00002.safetensors"] = size
    with pytest.raises(CheckpointError, match="its weights are 3. GiB, and a backbone has at most 32.* Nothing was"):
        read_checkpoint("hf://lab/llm")
    assert fetched(fake_hub) == ["model.safetensors.index.json"]


def test_a_file_that_is_not_as_large_as_was_told(fake_hub: Any) -> None:
    fake_hub.add("lab/r50", {"model.safetensors": SAVED})
    fake_hub.sizes["lab/r50", "model.safetensors"] = len(SAVED) + 8
    with pytest.raises(CheckpointError, match="cannot be fetched: Consistency check failed"):
        read_checkpoint("hf://lab/r50")


def test_a_damaged_copy_says_what_to_remove(fake_hub: Any) -> None:
    fake_hub.add("lab/r50", {"model.safetensors": SAVED})
    (path,) = open_repository(HubAddress("lab/r50")).fetch("model.safetensors")
    path.resolve().write_bytes(SAVED[:-4])
    with pytest.raises(
        CheckpointError, match=r"cut off or damaged.* Remove \S+, so that it is fetched again"
    ) as caught:
        read_checkpoint("hf://lab/r50")
    Path(str(caught.value).split("Remove ")[1].split(",")[0]).unlink()
    assert set(read_checkpoint("hf://lab/r50").tensors) == set(WEIGHTS)


@pytest.mark.parametrize("why", ["offline", "refused", "broken"])
def test_without_a_network_the_cache_counts(why: str, fake_hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub.add("lab/r50", {"model.safetensors": SAVED, "ema.safetensors": SAVED})
    fake_hub.add("lab/big", shards())
    read_checkpoint("hf://lab/r50")
    open_repository(HubAddress("lab/big")).fetch("model.safetensors.index.json")
    if why == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif why == "refused":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    else:
        fake_hub.status = 503
    found = read_checkpoint("hf://lab/r50")
    assert set(found.tensors) == set(WEIGHTS) and found.commit.endswith(", of the cache, for the Hub does not answer")
    with pytest.raises(CheckpointError, match="lab/r50 has no file ema.safetensors; its files of weights are model"):
        read_checkpoint("hf://lab/r50/ema.safetensors")
    with pytest.raises(CheckpointError, match="safetensors is not in the cache, and the Hub does not answer"):
        read_checkpoint("hf://lab/big")
    said = "answers 503 for hf://lab/other" if why == "broken" else "Without a network, give the path of a copy"
    with pytest.raises(CheckpointError, match=said) as caught:
        read_checkpoint("hf://lab/other")
    assert "\n" not in str(caught.value)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("huggingface_hub"):
            raise ModuleNotFoundError("No module named 'huggingface_hub'", name="huggingface_hub")
        return import_module(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CheckpointError, match=r"huggingface_hub is missing: pip install 'mmdetpre\[hub\]'"):
        read_checkpoint("hf://lab/r50")


def test_an_entry_of_the_zoo_may_be_in_the_hub(fake_hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    fake_hub.add("lab/r18", {"model.safetensors": SAVED})
    entry = replace(PUBLISHED[0], address="hf://lab/r18", sha256=hashlib.sha256(SAVED).hexdigest()[:8])
    monkeypatch.setattr(names, "ZOO", (entry,))
    found = read_checkpoint(entry.name)
    assert set(found.tensors) == set(WEIGHTS) and found.backbone_metadata["preprocessing"]["channel_order"] == "rgb"
    monkeypatch.setattr(names, "ZOO", (replace(entry, sha256="0" * 8),))
    with pytest.raises(CheckpointError, match="is not the file that .* names: its SHA-256"):
        read_checkpoint(entry.name)
    monkeypatch.setattr(names, "ZOO", (replace(entry, address="hf://lab/gone"),))
    with pytest.raises(CheckpointError, match="has no repository lab/gone"):
        read_checkpoint(entry.name)


def test_the_bound_is_above_every_backbone() -> None:
    assert hub.MOST_BYTES > 4 * 7e9  # DINOv3's ViT-7B
