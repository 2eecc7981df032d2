import numpy as np
import pytest
from mmengine import fileio

from mmdetpre.storage.backend import RemoteBackend
from mmdetpre.storage.retry import StorageError

QUICK = {"retries": 1, "first_wait": 0.001, "timeout": 5}


@pytest.fixture
def address(far):
    (far.folder / "a.jpg").write_bytes(b"content")
    return far.at("a.jpg")


def test_a_config_names_it(address, far, tmp_path):
    args = dict(backend="mmdetpre.Remote", **QUICK)
    assert fileio.get(address, args) == b"content" and fileio.get_text(address, backend_args=args) == "content"
    assert fileio.exists(address, args) and not fileio.exists(far.at("b.jpg"), args)
    with fileio.get_local_path(address, backend_args=args) as path:
        assert fileio.get(path) == b"content"
    (tmp_path / "here.jpg").write_bytes(b"here")
    assert fileio.get(tmp_path / "here.jpg", args) == b"here" and fileio.exists(tmp_path / "here.jpg", args)


def test_files_are_kept_within_a_bound(address, far, tmp_path):
    for _ in range(3):
        assert RemoteBackend(cache_gb=1, cache_dir=str(tmp_path / "cache"), **QUICK).get(address) == b"content"
    assert len(far.asked) == 1


def test_what_is_too_large_is_not_read(address):
    with pytest.raises(StorageError, match="MiB"):
        RemoteBackend(most_mb=1e-6, **QUICK).get(address)


def test_s3(bucket, tmp_path):
    (tmp_path / "set").mkdir()
    content = np.random.default_rng(0).bytes(5000)
    (tmp_path / "set" / "a.jpg").write_bytes(content)
    args = dict(backend="mmdetpre.Remote", **QUICK)
    assert fileio.get(f"{bucket(tmp_path / 'set')}/a.jpg", args) == content
