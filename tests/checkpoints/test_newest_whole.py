"""Which checkpoint a training goes on from: cut, flipped, emptied, unnamed and moved ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from mmdetpre.checkpoints.newest_whole import POINTER, damage, newest_whole, point_to_newest


def checkpoint(path: Path, iteration: int, age: int = 0) -> Path:
    """A checkpoint of a training, written so many seconds ago."""
    torch.save({"state_dict": {"w": torch.arange(1000.0)}, "meta": {"iter": iteration, "epoch": 1}}, path)
    stamp(path, age)
    return path


def stamp(path: Path, age: int) -> None:
    now = 1_700_000_000 - age
    os.utime(path, (now, now))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three checkpoints, the newest of which is named."""
    for epoch in (1, 2, 3):
        checkpoint(tmp_path / f"epoch_{epoch}.pth", 100 * epoch, age=100 - 10 * epoch)
    (tmp_path / POINTER).write_text(str(tmp_path / "epoch_3.pth"))
    stamp(tmp_path / POINTER, 70)
    return tmp_path


@pytest.mark.parametrize("legacy", [False, True])
def test_damage_is_seen(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {"w": torch.arange(1000.0)}}, path, _use_new_zipfile_serialization=not legacy)
    assert damage(path) is None
    whole = path.read_bytes()
    for part in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * part)])
        assert "cut off or damaged" in str(damage(path)), part
    path.write_bytes(b"")
    assert damage(path) == "it is empty"
    path.write_bytes(bytes(len(whole)))  # what a machine without power leaves
    assert "damaged" in str(damage(path))
    path.unlink()
    assert damage(path) == "it is not there"


def test_one_flipped_bit_of_a_weight_is_seen(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "a.pth", 1)
    whole = bytearray(path.read_bytes())
    at = whole.index(torch.arange(1000.0).numpy().tobytes()) + 400
    whole[at] ^= 1
    path.write_bytes(whole)
    assert torch.load(path)["state_dict"]["w"][100] != 100, "torch itself does not see it"
    assert "the bytes of a/data/0 have changed" in str(damage(path))


def test_the_named_one(folder: Path) -> None:
    assert newest_whole(folder).path == folder / "epoch_3.pth" and not newest_whole(folder).damaged


def test_the_one_before_if_that_is_cut(folder: Path) -> None:
    last = folder / "epoch_3.pth"
    last.write_bytes(last.read_bytes()[:200])
    found = point_to_newest(folder)
    assert found.path == folder / "epoch_2.pth" and [path for path, _ in found.damaged] == [last]
    assert (folder / POINTER).read_text() == str(folder / "epoch_2.pth")
    for path in folder.glob("*.pth"):
        path.write_bytes(b"")
    found = point_to_newest(folder)
    assert found.path is None and len(found.damaged) == 3 and not (folder / POINTER).exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"/nowhere/epoch_9.pth\n"])
def test_a_broken_pointer(folder: Path, content: bytes) -> None:
    (folder / POINTER).write_bytes(content)
    assert point_to_newest(folder).path == folder / "epoch_3.pth"
    assert (folder / POINTER).read_text() == str(folder / "epoch_3.pth")
    (folder / POINTER).unlink()
    assert newest_whole(folder).path == folder / "epoch_3.pth"


def test_a_checkpoint_that_was_written_and_not_yet_named(folder: Path) -> None:
    checkpoint(folder / "iter_350.pth", 350, age=60)
    checkpoint(folder / "best_map_epoch_3.pth", 999, age=0)
    assert newest_whole(folder).path == folder / "iter_350.pth"


def test_a_copied_folder_and_leftovers_of_another_training(folder: Path) -> None:
    for age, name in enumerate(("epoch_1.pth", "epoch_2.pth", "epoch_3.pth", POINTER)):
        stamp(folder / name, age)  # copied in another order
    assert newest_whole(folder).path == folder / "epoch_3.pth"
    stamp(folder / POINTER, 50)
    checkpoint(folder / "iter_9000.pth", 9000, age=90)
    assert newest_whole(folder).path == folder / "epoch_3.pth"


def test_a_moved_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    there = tmp_path_factory.mktemp("moved") / "run"
    shutil.move(folder, there)
    assert point_to_newest(there).path == there / "epoch_3.pth"
    assert (there / POINTER).read_text() == str(there / "epoch_3.pth")
    assert newest_whole(folder).path is None
