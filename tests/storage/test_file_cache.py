import os
import random
from multiprocessing import get_context

import pytest

from mmdetpre.storage.file_cache import _BUCKETS, FileCache
from mmdetpre.utils.locks import file_lock

BOUND = 64 * 10_000 / 1e9


def used(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and len(path.name) == 64]
    return sum(path.stat().st_size for path in files)


def keys_of_one_bucket(cache, count):
    first = cache._path("0").parent
    return [key for key in map(str, range(200 * count)) if cache._path(key).parent == first][:count]


def test_the_least_recently_used_files_go(tmp_path):
    cache = FileCache(tmp_path, BOUND)
    keys = keys_of_one_bucket(cache, 12)
    for age, key in enumerate(keys[:9]):
        cache.put(key, key.encode() * (1000 // len(key)))
        os.utime(cache._path(key), (1000 + age, 1000 + age))
    assert cache.get(keys[0]) is not None  # used again: now it is the newest
    for key in keys[9:]:
        cache.put(key, b"x" * 1000)
    kept = [key for key in keys if cache.get(key) is not None]
    assert keys[0] in kept and set(keys[9:]) <= set(kept) and not {keys[1], keys[2]} & set(kept)
    assert used(tmp_path) <= cache.bucket_bytes


def test_a_file_that_does_not_fit_is_not_kept(tmp_path):
    cache = FileCache(tmp_path, BOUND)
    cache.put("a", bytes(20_000))
    assert cache.get("a") is None and used(tmp_path) == 0


def test_damaged_files_are_not_given_back(tmp_path):
    cache = FileCache(tmp_path, BOUND)
    for damage in (lambda data: data[:-1], lambda data: b"?" + data[1:], lambda data: b""):
        cache.put("a", b"content")
        path = cache._path("a")
        path.write_bytes(damage(path.read_bytes()))
        assert cache.get("a") is None and not path.exists()


def test_a_link_is_not_followed(tmp_path):
    cache = FileCache(tmp_path, BOUND)
    cache.put("a", b"content")
    path = cache._path("a")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get("a") is None


def test_a_process_that_was_killed_leaves_no_more_than_the_bound(tmp_path, monkeypatch):
    cache = FileCache(tmp_path, BOUND)
    keys = keys_of_one_bucket(cache, 40)
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    for key in keys[:5]:
        with pytest.raises(KeyboardInterrupt):
            cache.put(key, bytes(1000))
    monkeypatch.undo()
    for key in keys[5:]:
        cache.put(key, bytes(1000))
    everything = sum(p.stat().st_size for p in cache._path("0").parent.iterdir() if p.name not in ("lock", "total"))
    assert 0 < everything <= cache.bucket_bytes


def _fill(folder, seed, told):
    draw, cache, worst = random.Random(seed), FileCache(folder, BOUND), 0
    for _ in range(400):
        key = str(draw.randrange(300))
        content = cache.get(key)
        assert content is None or content == key.encode() * 500
        cache.put(key, key.encode() * 500)
        with file_lock(cache._path(key).parent / "lock"):
            worst = max(worst, used(cache._path(key).parent))
    told.put(worst)


def test_several_processes_share_it(tmp_path):
    context = get_context("fork")
    told = context.Queue()
    processes = [context.Process(target=_fill, args=(tmp_path, seed, told)) for seed in range(4)]
    for process in processes:
        process.start()
    worst = [told.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert max(worst) <= FileCache(tmp_path, BOUND).bucket_bytes
    assert len(list(tmp_path.iterdir())) <= _BUCKETS


def test_a_bound_is_a_bound(tmp_path):
    with pytest.raises(ValueError, match="cache_gb is -1"):
        FileCache(tmp_path, -1)
