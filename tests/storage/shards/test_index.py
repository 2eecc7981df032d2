import json

import numpy as np
import pytest

from mmdetpre.storage.shards import index as module
from mmdetpre.storage.shards.index import META, ShardIndex, name_hash, read_meta

NAMES = ["b/1.jpg", "a.jpg", "ü.png", "a b.jpg"]


def made(**changes):
    columns = {
        "shards": [("shard-000000.tar", 10_240), ("shard-000001.tar", 20_480)],
        "names": NAMES,
        "shard": [0, 0, 1, 1],
        "offset": [512, 4096, 512, 1536],
        "size": [1000, 6144, 0, 18_944],
        "crc32": [1, 2, 3, 2**32 - 1],
        "image_sizes": [(10, 20), (0, 0), (30, 40), (1, 1)],
    }
    return ShardIndex.build(**{**columns, **changes})


@pytest.fixture
def folder(tmp_path):
    made().save(tmp_path)
    return tmp_path


def test_every_file_is_found_and_no_other(folder):
    index = ShardIndex.open(folder)
    assert len(index) == 4
    for i, name in enumerate(NAMES):
        place = index.find(name)
        assert place.shard == f"shard-00000{i // 2}.tar" and place.crc32 == [1, 2, 3, 2**32 - 1][i]
        assert (place.offset, place.size) == ([512, 4096, 512, 1536][i], [1000, 6144, 0, 18_944][i])
        assert index.image_sizes[place.row].tolist() == [[10, 20], [0, 0], [30, 40], [1, 1]][i]
    assert [index.find(name) for name in ("", "1.jpg", "b/1.JPG", "./a.jpg")] == [None] * 4


def test_columns_are_maps_of_the_files(folder):
    index = ShardIndex.open(folder)
    assert all(isinstance(column.base, np.memmap) for column in (index.hashes, index.offset, index.names.blob))


def test_names_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(module, "name_hash", lambda name: 7)
    index = made()
    assert [index.names[index.find(name).row] for name in NAMES] == NAMES and index.find("c.jpg") is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"offset": [512, 4097, 512, 1536]}, "does not lie within its shard"),
        ({"offset": [0, 4096, 512, 1536]}, "does not lie within its shard"),
        ({"offset": [512, 4096, -(2**62), 1536]}, "does not lie within its shard"),
        ({"size": [1000, 6144, 0, 2**62]}, "does not lie within its shard"),
        ({"size": [1000, 6144, -1, 0]}, "does not lie within its shard"),
        ({"shard": [0, 0, 1, 2]}, "in a shard that is not there"),
        ({"shard": [0, 0, 1, -1]}, "in a shard that is not there"),
    ],
)
def test_what_leads_out_of_a_shard_is_refused(tmp_path, changes, reason):
    made(**changes).save(tmp_path)
    with pytest.raises(ValueError, match=reason):
        ShardIndex.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("hashes", lambda a: a[::-1], "not in order"),
        ("hashes", lambda a: a.astype(np.float64), "float64"),
        ("offset", lambda a: a[:-1], "shape"),
        ("name_offsets", lambda a: a[::-1], "names overlap"),
        ("name_offsets", lambda a: a + 1, "names overlap"),
        ("image_sizes", lambda a: a[:, :1], "shape"),
    ],
)
def test_columns_that_do_not_fit_are_refused(folder, name, change, reason):
    path = folder / f"{name}.npy"
    np.save(path, change(np.load(path)))
    (folder / "verified.json").unlink()
    meta = json.loads((folder / META).read_text())
    meta["sums"][path.name] = module.checksums(folder, [path.name])[path.name]
    (folder / META).write_text(json.dumps(meta))
    with pytest.raises(ValueError, match=f"is damaged .*{reason}"):
        ShardIndex.open(folder)


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "pickle"])
def test_damaged_columns_are_told(folder, damage):
    path = folder / "offset.npy"
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "pickle":
        np.save(path, np.array([{}], object), allow_pickle=True)
    else:
        path.write_bytes(data[:-1] + b"?" if damage == "changed" else data[:-8])
    with pytest.raises(ValueError, match=r"index of shards in .* is damaged \(offset.npy missing or changed\)"):
        ShardIndex.open(folder)


@pytest.mark.parametrize("name", ["../shard.tar", "/etc/passwd", "a/b.tar", "..tar", ".tar", "a.zip", "", 7, "a\n.tar"])
def test_a_shard_is_a_file_beside_the_index(folder, name):
    meta = json.loads((folder / META).read_text())
    meta["shards"][0]["file"] = name
    (folder / META).write_text(json.dumps(meta))
    with pytest.raises(ValueError, match="its list of shards"):
        read_meta(folder / META)


@pytest.mark.parametrize("change", [{"format": "x"}, {"version": 2}, {"shards": None}, {"sums": {"../x": 1}}])
def test_another_file_is_no_index(folder, change):
    (folder / META).write_text(json.dumps(json.loads((folder / META).read_text()) | change))
    with pytest.raises(ValueError, match=r"meta\.json is"):
        ShardIndex.open(folder)


def test_no_index(tmp_path):
    with pytest.raises(FileNotFoundError):
        ShardIndex.open(tmp_path)


def test_any_damage_is_refused_or_changes_nothing(folder, hold):
    hold(lambda: ShardIndex.open(folder).find("a.jpg"), folder / META, names=folder)


def test_a_hash_is_that_of_blake2b():
    assert len({name_hash(str(i)) for i in range(1000)}) == 1000
