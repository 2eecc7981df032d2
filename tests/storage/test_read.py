import errno
import os
import time
from pathlib import Path

import pytest
from mmengine import fileio

from mmdetpre.storage.read import file_exists, local_copy, read_bytes
from mmdetpre.storage.retry import StorageError

QUICK = {"backend": "mmdetpre.Remote", "retries": 2, "first_wait": 0.001, "timeout": 5}


@pytest.fixture
def no_waits(monkeypatch):
    monkeypatch.setattr("mmdetpre.storage.retry.retried.__kwdefaults__", {**_DEFAULTS, "sleep": lambda wait: None})


_DEFAULTS = {"retries": 8, "first_wait": 0.5, "longest_wait": 30.0, "sleep": time.sleep}


def test_backends_of_mmengine_are_asked_again(far, no_waits):
    (far.folder / "a.jpg").write_bytes(b"content")
    far.faults["a.jpg"] = [503, 500]
    assert read_bytes(far.at("a.jpg")) == b"content"
    far.faults["a.jpg"] = [503] * 9
    with pytest.raises(StorageError, match=r"a.jpg could not be read in 3 tries .*503"):
        read_bytes(far.at("a.jpg"), retries=2)
    with pytest.raises(FileNotFoundError, match="no file at"):
        read_bytes(far.at("b.jpg"))


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE])
def test_a_file_server_that_is_away_is_no_damaged_file(tmp_path, monkeypatch, no_waits, number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fileio, "get", fail)
    with pytest.raises(StorageError, match=f"a.jpg could not be read in 9 tries .*{os.strerror(number)}"):
        read_bytes(str(tmp_path / "a.jpg"))


def test_a_folder_is_no_fault_of_a_server(tmp_path, no_waits):
    with pytest.raises(IsADirectoryError):
        read_bytes(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_bytes(str(tmp_path / "none"))


def test_lmdb_without_the_key_is_a_missing_file(tmp_path):
    lmdb = pytest.importorskip("lmdb", reason="lmdb is not installed: pip install 'mmdetpre[tests]'")
    with lmdb.open(str(tmp_path / "db")) as database, database.begin(write=True) as change:
        change.put(b"a.jpg", b"content")
    args = dict(backend="lmdb", db_path=str(tmp_path / "db"))
    assert read_bytes("a.jpg", args) == b"content" and file_exists("a.jpg", args)
    with pytest.raises(FileNotFoundError, match=r"no b.jpg in the database"):
        read_bytes("b.jpg", args)


def test_an_annotation_file_is_copied_once_and_again_when_it_changes(far, tmp_path):
    (far.folder / "a.json").write_text("1")
    copies = [local_copy(far.at("a.json"), QUICK, tmp_path / "copies") for _ in range(2)]
    assert copies[0] == copies[1] and copies[0].endswith("-a.json")
    assert [method for method, _, _ in far.asked] == ["HEAD", "GET", "HEAD"]
    (far.folder / "a.json").write_text("22")
    changed = local_copy(far.at("a.json"), QUICK, tmp_path / "copies")
    assert changed != copies[0] and (Path(changed).read_text(), Path(copies[0]).read_text()) == ("22", "1")


def test_a_file_of_this_machine_is_its_own_copy(tmp_path):
    assert local_copy("data/a.json", None, tmp_path) == local_copy("data/a.json", QUICK, tmp_path) == "data/a.json"
    assert not list(tmp_path.iterdir())
