from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mmdetpre.utils import checked_files
from mmdetpre.utils.checked_files import VERIFIED, checksums, damaged_files


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read to the end."""
    seen: list[str] = []
    checksum = checked_files.checksum
    monkeypatch.setattr(checked_files, "checksum", lambda path: (seen.append(Path(path).name), checksum(path))[1])
    return seen


def test_files_are_verified_once_and_again_when_they_are_others(tmp_path: Path, reads: list[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    sums = checksums(tmp_path, ["a", "b"])
    assert reads == ["a", "b"] and damaged_files(tmp_path, sums) == [] and reads == ["a", "b"]
    time.sleep(0.03)  # a clock of a file system ticks every few milliseconds
    before = os.stat(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"a" * 999 + b"b")
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert damaged_files(tmp_path, sums) == ["a"]
    (tmp_path / "a").write_bytes(b"a" * 1000)
    assert damaged_files(tmp_path, sums) == []
    reads.clear()
    assert damaged_files(tmp_path, sums) == [] and reads == []
    (tmp_path / "b").unlink()
    assert damaged_files(tmp_path, sums) == ["b"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 7}'])
def test_a_damaged_note_is_not_believed(tmp_path: Path, reads: list[str], content: bytes) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    sums = checksums(tmp_path, ["a"])
    (tmp_path / VERIFIED).write_bytes(content)
    assert damaged_files(tmp_path, sums) == [] and reads == ["a", "a"]
