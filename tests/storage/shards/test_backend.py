import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from mmengine import fileio

from mmdetpre.storage.retry import StorageError
from mmdetpre.storage.shards import backend as module
from mmdetpre.storage.shards.backend import TarShardsBackend
from mmdetpre.storage.shards.writer import Files, write_shards

CONTENTS = {f"train/{i} ä.jpg": np.random.default_rng(i).bytes(3000 + i) for i in range(40)}
QUICK = {"retries": 2, "first_wait": 0.001, "timeout": 5}


def pack(folder):
    names = list(CONTENTS)
    files = Files(names, lambda i: CONTENTS[names[i]], lambda i: {}, [""] * len(names))
    write_shards(folder, files, lambda content: (len(content), 9), per_shard=16)
    return folder


@pytest.fixture
def shards(tmp_path):
    return pack(tmp_path / "shards")


@pytest.fixture
def far_shards(far):
    pack(far.folder / "shards")
    return far.at("shards")


def test_a_config_names_it(shards):
    args = dict(backend="mmdetpre.TarShards", shards=str(shards), root="data/coco/")
    assert {name: fileio.get(f"data/coco/{name}", args) for name in CONTENTS} == CONTENTS
    assert fileio.exists("data/coco/train/3 ä.jpg", args) and not fileio.exists("data/coco/train/99.jpg", args)
    with fileio.get_local_path("data/coco/train/3 ä.jpg", backend_args=args) as path:
        assert path.endswith(".jpg") and Path(path).read_bytes() == CONTENTS["train/3 ä.jpg"]
    assert not os.path.exists(path)


def test_the_folder_of_the_shards_is_the_root_if_none_is_named(shards):
    assert TarShardsBackend(f"{shards}/").get(f"{shards}/train/0 ä.jpg") == CONTENTS["train/0 ä.jpg"]


def test_a_path_that_is_not_below_the_root_is_a_mistake_of_the_config(shards):
    with pytest.raises(ValueError, match="elsewhere/0.jpg does not begin with data/coco/: set root"):
        TarShardsBackend(str(shards), root="data/coco").get("elsewhere/0.jpg")


def test_a_missing_file_is_missing(shards):
    with pytest.raises(FileNotFoundError, match="is not in the shards"):
        TarShardsBackend(str(shards), root="r").get("r/no.jpg")


def test_missing_and_short_shards_are_no_missing_images(shards, tmp_path):
    with pytest.raises(StorageError, match="There are no shards in .*pack` writes them"):
        TarShardsBackend(str(tmp_path / "none"), root="r").get("r/train/0 ä.jpg")
    (shards / "shard-000001.tar").write_bytes(b"short")
    with pytest.raises(StorageError, match="has 5 bytes, not"):
        TarShardsBackend(str(shards), root="r").get("r/train/0 ä.jpg")
    (shards / "shard-000001.tar").unlink()
    with pytest.raises(StorageError, match="is missing"):
        TarShardsBackend(str(shards), root="r").get("r/train/0 ä.jpg")


def test_a_damaged_shard_gives_no_image(shards):
    backend = TarShardsBackend(str(shards), root="r")
    place = backend.index.find("train/5 ä.jpg")
    data = bytearray((shards / place.shard).read_bytes())
    data[place.offset + 100] ^= 1
    (shards / place.shard).write_bytes(data)
    with pytest.raises(StorageError, match="the shard is damaged, or of another set"):
        backend.get("r/train/5 ä.jpg")
    assert backend.get("r/train/6 ä.jpg") == CONTENTS["train/6 ä.jpg"]


def test_a_file_above_the_bound_is_told(shards):
    with pytest.raises(StorageError, match="set most_mb"):
        TarShardsBackend(str(shards), root="r", most_mb=0.001).get("r/train/0 ä.jpg")


def test_threads_share_it_and_few_archives_stay_open(shards, monkeypatch):
    monkeypatch.setattr(module, "_MOST_OPEN", 1)
    backend = TarShardsBackend(str(shards), root="r")
    names = sorted(CONTENTS, key=hash) * 5
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: backend.get(f"r/{name}"), names)) == [CONTENTS[name] for name in names]
    assert len(backend._open) == 1


def test_far_shards_are_read_by_ranges(far, far_shards, tmp_path):
    backend = TarShardsBackend(far_shards, root="r", cache_dir=str(tmp_path / "cache"), **QUICK)
    assert {name: backend.get(f"r/{name}") for name in CONTENTS} == CONTENTS
    ranges = [wanted for _, name, wanted in far.asked if name.endswith(".tar")]
    assert len(ranges) == len(CONTENTS) and None not in ranges
    np.testing.assert_array_equal(backend.image_sizes(["r/train/7 ä.jpg", "r/no.jpg"]), [(3007, 9), (0, 0)])


def test_a_503_is_retried_and_never_a_missing_image(far, far_shards):
    backend = TarShardsBackend(far_shards, root="r", **QUICK)
    far.faults["shards/index/meta.json"] = [503]
    far.faults["shards/shard-000000.tar"] = [503, "cut"]
    assert backend.get("r/train/0 ä.jpg") == CONTENTS["train/0 ä.jpg"]
    far.faults["shards/shard-000000.tar"] = [503] * 9
    with pytest.raises(StorageError, match=r"shard-000000.tar could not be read in 3 tries"):
        backend.get("r/train/1 ä.jpg")
    far.faults["shards/shard-000001.tar"] = [404]
    with pytest.raises(StorageError, match="were not all copied"):
        backend.get("r/train/20 ä.jpg")


def test_far_shards_that_are_not_there(far):
    with pytest.raises(StorageError, match="There are no shards in"):
        TarShardsBackend(far.at("none"), root="r", **QUICK).get("r/a.jpg")


def test_the_index_is_fetched_once_per_machine_and_content(far, far_shards, tmp_path):
    for _ in range(2):
        TarShardsBackend(far_shards, root="r", cache_dir=str(tmp_path / "cache"), **QUICK).index  # noqa: B018
    fetched = [name for _, name, _ in far.asked if name.endswith(".npy")]
    assert len(fetched) == len(set(fetched)) == 8
    shutil.rmtree(far.folder / "shards")
    files = Files(["new.jpg"], lambda i: b"new", lambda i: {}, [""])
    write_shards(far.folder / "shards", files, lambda content: (1, 1))
    assert TarShardsBackend(far_shards, root="r", cache_dir=str(tmp_path / "cache"), **QUICK).get("r/new.jpg") == b"new"


def test_a_far_index_that_lies_is_refused(far, far_shards, tmp_path):
    np.save(far.folder / "shards" / "index" / "offset.npy", np.full(40, 2**61))
    backend = TarShardsBackend(far_shards, root="r", cache_dir=str(tmp_path / "cache"), **QUICK)
    with pytest.raises(ValueError, match="is damaged"):
        backend.get("r/train/0 ä.jpg")
    assert not [path for path in (tmp_path / "cache" / "shards").iterdir() if path.is_dir()]


def test_files_are_kept_within_a_bound(far, far_shards, tmp_path):
    args = {"root": "r", "cache_gb": 0.01, "cache_dir": str(tmp_path / "cache"), **QUICK}
    for _ in range(3):
        backend = TarShardsBackend(far_shards, **args)
        assert {name: backend.get(f"r/{name}") for name in CONTENTS} == CONTENTS
    assert len([name for _, name, _ in far.asked if name.endswith(".tar")]) == len(CONTENTS)


def test_a_cache_that_cannot_be_written_is_told_once(far, far_shards, tmp_path, capsys, monkeypatch):
    backend = TarShardsBackend(far_shards, root="r", cache_gb=1, cache_dir=str(tmp_path / "cache"), **QUICK)
    monkeypatch.setattr(backend._cache, "put", lambda *arguments: (_ for _ in ()).throw(OSError("disk full")))
    assert {name: backend.get(f"r/{name}") for name in CONTENTS} == CONTENTS
    assert capsys.readouterr().out.count("The cache of files cannot be written (disk full)") == 1


def test_s3(bucket, shards):
    backend = TarShardsBackend(bucket(shards), root="r", **QUICK)
    assert {name: backend.get(f"r/{name}") for name in CONTENTS} == CONTENTS
