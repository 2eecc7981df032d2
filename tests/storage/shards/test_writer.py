import json
import signal
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from mmdetpre.storage.shards.backend import TarShardsBackend
from mmdetpre.storage.shards.index import ShardIndex
from mmdetpre.storage.shards.writer import Files, write_shards

NAMES = [
    "a.jpg",
    "deep/er/b.PNG",
    "with blank.jpeg",
    "two.dots.jpg",
    ".hidden.jpg",
    "ünï☃.jpg",
    "line\nbreak.jpg",
    "none",
]
NAMES += ["-rf.jpg", "c:\\d.jpg", "../up.jpg", "quote'\".jpg"]


def content_of(i):
    return np.random.default_rng(i).bytes(100 + 700 * i)


def files(names=NAMES, read=content_of, **changes):
    values = {"annotation": lambda i: {"number": i, "class": "ä"}, "marks": [""] * len(names), **changes}
    return Files(names, read, **values)


def size_of(content):
    if len(content) == 100:
        raise SyntaxError("damaged")
    return len(content), 7


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_of_any_name_are_found_again(tmp_path):
    packed = write_shards(tmp_path / "out", files(), size_of, per_shard=5)
    assert (packed.files, packed.shards, packed.kept, packed.unreadable) == (12, 3, 0, ["a.jpg"])
    backend = TarShardsBackend(str(tmp_path / "out"), root="root")
    assert [backend.get(f"root/{name}") for name in NAMES] == [content_of(i) for i in range(12)]
    sizes = backend.image_sizes([f"root/{name}" for name in NAMES])
    assert sizes.tolist() == [[0, 0], *([100 + 700 * i, 7] for i in range(1, 12))]


def test_an_archive_is_plain_to_everybody_else(tmp_path):
    write_shards(tmp_path / "out", files(), size_of, per_shard=5)
    with tarfile.open(tmp_path / "out" / "shard-000001.tar") as tar:
        members = tar.getmembers()
        assert [m.name for m in members[:4]] == ["00000005.jpg", "00000005.json", "00000006.jpg", "00000006.json"]
        assert [m.name for m in members[4:6]] == ["00000007.bin", "00000007.json"]
        assert all((m.mtime, m.uid, m.gid, m.uname, m.mode) == (0, 0, 0, "", 0o644) for m in members)
        described = json.load(tar.extractfile(members[3]))
        assert described == {"file_name": "line\nbreak.jpg", "number": 6, "class": "ä"}
        index = ShardIndex.open(tmp_path / "out" / "index")
        assert index.find("ünï☃.jpg").offset == members[0].offset_data
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("OK") == 3


def test_webdataset_reads_the_shards(tmp_path):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed: pip install 'mmdetpre[tests]'")
    write_shards(tmp_path / "out", files(), size_of, per_shard=5)
    data = wds.WebDataset(str(tmp_path / "out" / "shard-{000000..000002}.tar"), shardshuffle=False)
    samples = list(data.decode(wds.handle_extension("jpg jpeg png bin", lambda data: data)))
    assert [sample["__key__"] for sample in samples] == [f"{i:08d}" for i in range(12)]
    for i, sample in enumerate(samples):
        assert sample["json"]["file_name"] == NAMES[i] and content_of(i) in sample.values()


def test_the_same_files_give_the_same_bytes(tmp_path):
    for out, workers in (("a", 1), ("b", 8)):
        write_shards(tmp_path / out, files(), size_of, per_shard=4, workers=workers)
    first, second = everything(tmp_path / "a"), everything(tmp_path / "b")
    assert first == second and len(first) == 3 + 1 + 9


def test_finished_shards_of_a_run_that_failed_are_kept(tmp_path):
    read = []

    def failing(i):
        read.append(i)
        if i == 9:
            raise FileNotFoundError("9 is gone")
        return content_of(i)

    with pytest.raises(FileNotFoundError, match="9 is gone"):
        write_shards(tmp_path / "out", files(read=failing), size_of, per_shard=4, workers=1)
    assert not (tmp_path / "out" / "index").exists()
    read.clear()
    packed = write_shards(
        tmp_path / "out", files(read=lambda i: read.append(i) or content_of(i)), size_of, per_shard=4, workers=1
    )
    assert packed.kept == 2 and read == [8, 9, 10, 11]
    write_shards(tmp_path / "fresh", files(), size_of, per_shard=4)
    assert everything(tmp_path / "out") == everything(tmp_path / "fresh")


def test_a_killed_process_goes_on(tmp_path):
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(tmp_path)!r})
from mmdetpre.storage.shards.writer import Files, write_shards

def read(i):
    if i == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return bytes([i]) * 2000

files = Files(list("abcdefgh"), read, lambda i: {{}}, [""] * 8)
write_shards({str(tmp_path / "out")!r}, files, lambda content: (1, 1), per_shard=2, workers=1)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL

    def plain(names):
        return Files(list(names), lambda i: bytes([i]) * 2000, lambda i: {}, [""] * 8)

    packed = write_shards(tmp_path / "out", plain("abcdefgh"), lambda content: (1, 1), per_shard=2)
    assert packed.kept >= 1
    write_shards(tmp_path / "fresh", plain("abcdefgh"), lambda content: (1, 1), per_shard=2)
    assert everything(tmp_path / "out") == everything(tmp_path / "fresh")


def interrupted(out, **changes):
    def failing(i):
        if i == 9:
            raise OSError("away")
        return content_of(i)

    with pytest.raises(OSError, match="away"):
        write_shards(out, files(read=failing, **changes), size_of, per_shard=4)


def test_a_finished_shard_that_was_damaged_since_is_written_again(tmp_path):
    interrupted(tmp_path / "out")
    shard = tmp_path / "out" / "shard-000001.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    assert write_shards(tmp_path / "out", files(), size_of, per_shard=4).kept == 1
    backend = TarShardsBackend(str(tmp_path / "out"), root="r")
    assert [backend.get(f"r/{name}") for name in NAMES] == [content_of(i) for i in range(12)]


@pytest.mark.parametrize(
    "changes",
    [
        {"names": [*NAMES[:-1], "other.jpg"]},
        {"annotation": lambda i: {"number": -i}},
        {"marks": ["changed", *[""] * 11]},
    ],
)
def test_another_set_does_not_go_on_with_the_first(tmp_path, changes):
    interrupted(tmp_path / "out")
    before = everything(tmp_path / "out")
    with pytest.raises(FileExistsError, match="was begun with other files"):
        write_shards(tmp_path / "out", files(**changes), size_of, per_shard=4)
    with pytest.raises(FileExistsError, match="another number per shard"):
        write_shards(tmp_path / "out", files(), size_of, per_shard=5)
    assert everything(tmp_path / "out") == before


def test_nothing_is_overwritten(tmp_path):
    write_shards(tmp_path / "out", files(), size_of)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "photo.jpg").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = everything(tmp_path)
    with pytest.raises(FileExistsError, match="holds finished shards"):
        write_shards(tmp_path / "out", files(), size_of)
    for name in ("own", "file"):
        with pytest.raises(FileExistsError, match="was not begun by"):
            write_shards(tmp_path / name, files(), size_of)
    assert everything(tmp_path) == before


def test_names_that_cannot_be_packed_are_told_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="a.jpg is there twice, as file 1 and 3"):
        write_shards(tmp_path / "out", files(["a.jpg", "b.jpg", "a.jpg"]), size_of)
    with pytest.raises(ValueError, match=r"a\\udcff.jpg has a name that is not UTF-8"):
        write_shards(tmp_path / "out", files(["a\udcff.jpg"]), size_of)
    with pytest.raises(ValueError, match="There must be files to pack"):
        write_shards(tmp_path / "out", files([]), size_of)
    assert not (tmp_path / "out").exists()


def test_memory_is_that_of_a_few_files(tmp_path):
    waiting, most = set(), 0

    def read(i):
        nonlocal most
        waiting.add(i)
        most = max(most, len(waiting))
        return bytes(10)

    def done(content):
        waiting.discard(min(waiting))
        return 1, 1

    many = Files([str(i) for i in range(500)], read, lambda i: {}, [""] * 500)
    write_shards(tmp_path / "out", many, done, workers=2)
    assert most <= 2 * 4 + 1


def test_an_empty_file_is_a_file(tmp_path):
    one = Files(["a.jpg"], lambda i: b"", lambda i: {}, [""])
    write_shards(tmp_path / "out", one, lambda content: (0, 0))
    assert TarShardsBackend(str(tmp_path / "out"), root="r").get("r/a.jpg") == b""
