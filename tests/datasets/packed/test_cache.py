import os
import time
from multiprocessing import get_context

import numpy as np
import pytest

from mmdetpre.datasets.packed.annotations import COLUMNS, PackedAnnotations, read_meta, write_meta
from mmdetpre.datasets.packed.cache import cache_name, open_or_build


class Builder:
    """Counts how often a table is built."""

    def __init__(self, sizes=((9, 9),)):
        self.calls, self.sizes = 0, sizes

    def __call__(self):
        self.calls += 1
        image, boxes = np.zeros(1, int), np.array([[0, 0, 5, 5.0]])
        names = [str(i) for i in range(len(self.sizes))]
        return PackedAnnotations.from_boxes(
            names=names, sizes=self.sizes, classes=["a"], image=image, boxes=boxes, labels=np.zeros(1)
        )


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("one")
    return path


def test_a_table_is_built_once_and_leaves_nothing_else(tmp_path, source):
    build, place = Builder(), tmp_path / "cache" / "table"
    for _ in range(2):
        assert len(open_or_build(place, [source], None, build)) == 1
    assert build.calls == 1
    assert {path.name for path in place.parent.iterdir()} <= {"table", ".table.lock"}


def test_a_changed_source_means_a_new_table(tmp_path, source):
    build, place = Builder(), tmp_path / "table"
    open_or_build(place, [source], None, build)
    status = source.stat()
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    opened = open_or_build(place, [source], None, build)
    assert build.calls == 2 and len(opened.boxes) == 1


def test_new_photos_matter_only_while_some_are_missing(tmp_path, source):
    photos = tmp_path / "photos"
    photos.mkdir()
    for sizes, expected in ((((9, 9), (0, 0)), 2), (((9, 9), (8, 8)), 1)):
        build, place = Builder(sizes), tmp_path / f"table{expected}"
        open_or_build(place, [source], str(photos), build)
        os.utime(photos, ns=(1, 1 + expected))
        open_or_build(place, [source], str(photos), build)
        assert build.calls == expected


def test_an_interrupted_build_leaves_nothing(tmp_path, source):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_or_build(tmp_path / "table", [source], None, interrupted)
    table = Builder()()
    object.__setattr__(table, "boxes", object())  # cannot be pickled by value: saving fails half-way
    object.__setattr__(table, "notes", {"bad": object()})
    with pytest.raises(TypeError):
        open_or_build(tmp_path / "table", [source], None, lambda: table)
    assert {path.name for path in tmp_path.iterdir()} <= {"boxes.csv", ".table.lock"}


def test_a_damaged_table_is_built_again(tmp_path, source):
    build, place = Builder(), tmp_path / "table"
    open_or_build(place, [source], None, build)
    (place / "boxes.npy").write_bytes(b"cut")
    open_or_build(place, [source], None, build)
    np.save(place / "sizes.npy", np.zeros((7, 2), np.int32))
    open_or_build(place, [source], None, build)
    assert build.calls == 3


@pytest.mark.parametrize("name", ["holiday.txt", "boxes.npy"])
def test_foreign_files_are_never_overwritten(tmp_path, source, name):
    (tmp_path / "table").mkdir()
    stranger = tmp_path / "table" / name
    stranger.write_text("mine")
    with pytest.raises(FileExistsError, match="another cache_dir"):
        open_or_build(tmp_path / "table", [source], None, Builder())
    assert stranger.read_text() == "mine"


def test_a_place_that_cannot_be_written_names_cache_dir(tmp_path, source):
    with pytest.raises(OSError, match="cache_dir="):
        open_or_build(source / "cache" / "table", [source], None, Builder())


def test_names_differ_with_parameters():
    assert cache_name("train", {"classes": ["a"]}) != cache_name("train", {"classes": ["b"]})
    assert cache_name("train", {"a": 1, "b": 2}) == cache_name("train", {"b": 2, "a": 1})


def flipped(path, at):
    """Flip a bit of a file and put its time back."""
    time.sleep(0.03)  # a clock of a file system ticks every few milliseconds
    before, data = path.stat(), bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["meta.json", *(f"{name}.npy" for name in COLUMNS)])
@pytest.mark.parametrize("at", [3, -1, 140])
def test_a_flipped_bit_is_never_used(tmp_path, source, name, at):
    build, place = Builder(), tmp_path / "table"
    boxes = open_or_build(place, [source], None, build).boxes.tolist()
    flipped(place / name, at)
    try:
        again = open_or_build(place, [source], None, build)
    except FileExistsError:  # a meta.json that is not ours
        assert name == "meta.json"
        return
    assert build.calls == 2 and again.boxes.tolist() == boxes and again.classes == ("a",)


def test_a_source_of_the_same_size_and_time_is_compared(tmp_path, source):
    build, place = Builder(), tmp_path / "table"
    open_or_build(place, [source], None, build)
    flipped(source, 0)
    open_or_build(place, [source], None, build)
    assert build.calls == 2
    source.chmod(0o600)  # another time of change, the same content
    open_or_build(place, [source], None, build)
    assert build.calls == 2


def test_a_table_of_another_version_is_built_again(tmp_path, source):
    build, place = Builder(), tmp_path / "table"
    open_or_build(place, [source], None, build)
    write_meta(place, read_meta(place) | {"version": 1})
    open_or_build(place, [source], None, build)
    assert build.calls == 2


def test_of_several_processes_one_builds(tmp_path, source):
    def work(number):
        def build():
            (tmp_path / f"built{number}").touch()
            time.sleep(0.2)
            return Builder()()

        assert len(open_or_build(tmp_path / "cache" / "table", [source], None, build)) == 1

    processes = [get_context("fork").Process(target=work, args=(number,)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.glob("built*"))) == 1
