from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mmdetpre.transfer import CheckpointError, read_checkpoint
from mmdetpre.transfer.sharded_weights import ShardError, shards_of, weights_of_folder
from mmdetpre.zoo.hub import USUAL


def index(folder: Path, names: object) -> Path:
    path = folder / "pytorch_model.bin.index.json"
    path.write_text(json.dumps({"weight_map": names}))
    return path


def test_shards_of_torch_are_read_as_one(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2), "left": torch.ones(1)}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({"b": torch.zeros(3)}, tmp_path / "pytorch_model-00002-of-00002.bin")
    found = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    for source in (index(tmp_path, found), tmp_path):
        read = read_checkpoint(source)
        assert read.kind == "torch" and set(read.tensors) == {"a", "b"}
    with pytest.raises(CheckpointError, match="is one of 2 files with the weights: give their .index.json"):
        read_checkpoint(tmp_path / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(CheckpointError, match="lacks 'c'"):
        read_checkpoint(index(tmp_path, found | {"c": "pytorch_model-00002-of-00002.bin"}))


@pytest.mark.parametrize("name", ["../other.bin", "/etc/passwd", "", "..", 3, None, "folder/x.bin"])
def test_files_elsewhere_are_not_read(tmp_path: Path, name: object) -> None:
    with pytest.raises(ShardError, match="not a file beside it"):
        shards_of(index(tmp_path, {"a": name}))


@pytest.mark.parametrize("names", [{}, [], None, "a"])
def test_an_index_of_nothing(tmp_path: Path, names: object) -> None:
    with pytest.raises(ShardError, match="names no tensors"):
        shards_of(index(tmp_path, names))


def test_an_index_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.index.json"
    for content in ("[1]", "{}", "not json", ""):
        path.write_text(content)
        with pytest.raises(ShardError, match="not an index"):
            shards_of(path)
    with pytest.raises(FileNotFoundError, match="one of 1 files that"):
        shards_of(index(tmp_path, {"a": "b.bin"}))
    with pytest.raises(FileNotFoundError, match="not there"):
        read_checkpoint(tmp_path / "none.index.json")


def test_the_folder_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="is a folder without model.safetensors or pytorch_model.bin"):
        weights_of_folder(tmp_path)
    for name in reversed(USUAL):
        (tmp_path / name).write_text("")
        assert weights_of_folder(tmp_path) == tmp_path / name
    whole = tmp_path / "model-00001-of-00001.safetensors"
    assert weights_of_folder(whole) == whole
