"""Features of several processes: each writes files of its own, and what is joined is what one process writes."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import FeatureFile, FeatureWriter, read_features

LAYERS = {"conv5_pooled": (3,), "conv_proj": (2, 4, 4)}
IMAGES = [f"cat/{i}.jpg" for i in range(11)]
PLAN = dict(images=IMAGES, labels=[i % 2 for i in range(11)], classes=["cat", "dog"], metadata={"config": "a.py"})
COLUMNS = [f"{name}.npy" for name in LAYERS]


def values(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers that depend on the image and its batch, as a network's last bits do."""
    return {
        name: np.stack([np.random.default_rng([row, *rows]).normal(size=shape).astype(np.float32) for row in rows])
        for name, shape in LAYERS.items()
    }


def part(path: Path, shard: int, shards: int, most: int = 99, **change: object) -> FeatureFile | None:
    """What one process does: at most so many batches, then it is stopped."""
    writer = FeatureWriter(path, LAYERS, **(PLAN | change), shard=(shard, shards), batch_size=2)
    for rows in writer.pending_batches()[:most]:
        writer.write(rows, values(rows))
    return writer.finish() if writer.complete() else None


def in_processes(path: Path, *parts: tuple[int, int]) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=part, args=(path, *one)) for one in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(parts)


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """What one process writes."""
    assert part(tmp_path / "alone", 0, 1) is not None
    return tmp_path / "alone"


def require_same(path: Path, alone: Path) -> None:
    """Every file but the record of what was verified is the same, byte for byte."""
    names = sorted(file.name for file in path.iterdir())
    assert names == sorted(file.name for file in alone.iterdir())
    for name in set(names) - {"verified.json"}:
        assert (path / name).read_bytes() == (alone / name).read_bytes(), name
    assert read_features(path).images == tuple(IMAGES)


@pytest.mark.parametrize("shards", [2, 3, 8])
def test_processes_give_what_one_gives(tmp_path: Path, alone: Path, shards: int) -> None:
    """With eight, two have nothing to do."""
    in_processes(tmp_path / "out", *((shard, shards) for shard in range(shards)))
    if not (tmp_path / "out" / "features.json").exists():  # on a host that sees the others' last files late
        assert part(tmp_path / "out", 0, shards) is not None
    require_same(tmp_path / "out", alone)


def test_no_file_is_written_by_two(tmp_path: Path) -> None:
    assert part(tmp_path / "out", 0, 2, most=1) is None and part(tmp_path / "out", 1, 2, most=1) is None
    folders = sorted((tmp_path / "out" / "shards").iterdir())
    assert [folder.name for folder in folders] == ["0-of-2", "1-of-2"]
    assert not any((tmp_path / "out" / name).exists() for name in COLUMNS)
    assert [len(np.load(folder / "conv_proj.npy")) for folder in folders] == [6, 5]
    with pytest.raises(ValueError, match="holds 4 of 11 images, it is not finished"):
        read_features(tmp_path / "out")


def test_a_second_process_of_a_number_is_refused(tmp_path: Path) -> None:
    part(tmp_path / "out", 0, 2, most=1)
    writer = FeatureWriter(tmp_path / "out", LAYERS, **PLAN, shard=(0, 2), batch_size=2)

    def second() -> None:
        with pytest.raises(ValueError, match=r"Another process writes .*0-of-2: give each its own part"):
            part(tmp_path / "out", 0, 2)

    process = multiprocessing.get_context("fork").Process(target=second)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert writer.pending_batches()[0].tolist() == [4, 5]


@pytest.mark.parametrize("again", [[(0, 2), (1, 2)], [(0, 1)], [(0, 3), (1, 3), (2, 3)]])
def test_resumes_finished_shards_by_any_number(
    tmp_path: Path, alone: Path, again: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, written = tmp_path / "out", []
    part(out, 0, 2)
    part(out, 1, 2, most=1)
    write = FeatureWriter.write
    monkeypatch.setattr(FeatureWriter, "write", lambda self, rows, v: (written.extend(rows), write(self, rows, v))[1])
    for one in again:
        part(out, *one)
    require_same(out, alone)
    finished = {0, 1, 4, 5, 8, 9}
    assert finished.isdisjoint(written) and sorted(written) == sorted(set(written))
    if again[0] == (0, 2):
        assert sorted(written) == [6, 7, 10]


def test_a_shard_that_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert part(out, 0, 2) is None
    with pytest.raises(ValueError, match="holds 6 of 11 images, it is not finished: run the same command"):
        read_features(out)
    with pytest.raises(ValueError, match="5 of 11 images are not written, e.g. row 2"):
        FeatureWriter(out, LAYERS, **PLAN, shard=(0, 2), batch_size=2).finish()


def flip(name: str) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        data = bytearray((shard / name).read_bytes())
        data[-1] ^= 1
        (shard / name).write_bytes(bytes(data))

    return damage


def change_seal(**values: object) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        content = json.loads((shard / "shard.json").read_text())
        values["sums"] = content["sums"] | dict(values.get("sums", {}))
        (shard / "shard.json").write_text(json.dumps(content | values))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip("conv_proj.npy"), r"damaged \(conv_proj.npy has changed\)"),
        (flip("rows.npy"), r"damaged \(rows.npy has changed\)"),
        (flip("done.npy"), r"damaged \(done.npy has changed\)"),
        (lambda shard: (shard / "conv5_pooled.npy").unlink(), r"damaged \(conv5_pooled.npy has changed\)"),
        (lambda shard: (shard / "rows.npy").unlink(), r"damaged \(.*rows.npy"),
        (lambda shard: (shard / "shard.json").write_text("{"), r"damaged \(shard.json: "),
        (lambda shard: np.save(shard / "rows.npy", np.zeros(2)), "damaged"),
        (change_seal(format="x"), r"damaged \(shard.json: another format\)"),
        (change_seal(sums={"../../../mine": 1}), r"damaged \(../../../mine has changed\)"),
        (change_seal(digest="another"), "is of other features: another model, data or settings"),
    ],
)
def test_a_shard_that_is_damaged_or_of_others(
    tmp_path: Path, alone: Path, damage: Callable[[Path], None], message: str
) -> None:
    out = tmp_path / "out"
    part(out, 0, 2)
    damage(out / "shards" / "0-of-2")
    with pytest.raises(ValueError, match=f"0-of-2 (is )?{message}.*Remove .*0-of-2, then run it again: --shard 0/2"):
        part(out, 1, 2)
        pytest.fail("joined")
    assert not (out / "features.json").exists()
    shutil.rmtree(out / "shards" / "0-of-2")
    part(out, 0, 2)
    part(out, 1, 2)
    require_same(out, alone)


def test_a_shard_of_other_features(tmp_path: Path) -> None:
    part(tmp_path / "other", 0, 2, metadata={"config": "b.py"})
    part(tmp_path / "out", 1, 2)
    shutil.copytree(tmp_path / "other/shards/0-of-2", tmp_path / "out/shards/0-of-2")
    with pytest.raises(ValueError, match="0-of-2 is of other features"):
        part(tmp_path / "out", 0, 2)


def test_other_batches_do_not_go_on(tmp_path: Path) -> None:
    part(tmp_path / "out", 0, 2, most=1)
    with pytest.raises(ValueError, match="0-of-2 was begun with other batches"):
        FeatureWriter(tmp_path / "out", LAYERS, **PLAN, shard=(0, 2), batch_size=3)


@pytest.mark.parametrize("rest", [[(0, 1)], [(0, 2), (1, 2)]])
def test_what_an_earlier_version_began_goes_on(tmp_path: Path, alone: Path, rest: list[tuple[int, int]]) -> None:
    """It wrote into the columns themselves, and kept in done.npy which rows are there."""
    out = tmp_path / "out"
    shutil.copytree(alone, out)
    plan = json.loads((out / "features.json").read_text())
    plan.pop("sums")
    (out / "plan.json").write_text(json.dumps(plan))
    (out / "features.json").unlink()
    (out / "verified.json").unlink()
    done = np.zeros(11, np.uint8)
    done[[2, 3, 10]] = 1
    np.save(out / "done.npy", done)
    for name in COLUMNS:
        column = np.load(out / name)
        column[done == 0] = -1
        np.save(out / name, column)
    with pytest.raises(ValueError, match="holds 3 of 11 images"):
        read_features(out)
    for one in rest:
        part(out, *one)
    require_same(out, alone)


def test_what_an_earlier_version_finished_is_read(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    np.save(out / "fc1.npy", np.arange(4, dtype=np.float32).reshape(2, 2))
    np.save(out / "labels.npy", np.array([0, -1]))
    (out / "images.json").write_text('["a.jpg", "b.jpg"]')
    index = {"format": "mmdetpre features", "version": 1, "count": 2, "layers": {"fc1": [2]}}
    (out / "features.json").write_text(json.dumps(index | {"classes": ["cat"], "metadata": {}}))
    assert read_features(out).layer().tolist() == [[0, 1], [2, 3]]


def test_overwriting_leaves_foreign_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    part(out, 0, 2, most=1)
    (out / "shards/0-of-2/notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="also holds shards/0-of-2/notes.txt"):
        FeatureWriter(out, LAYERS, **PLAN, overwrite=True)
    (out / "shards/0-of-2/notes.txt").unlink()
    assert len(FeatureWriter(out, LAYERS, **PLAN, overwrite=True).pending()) == 11


def test_two_that_join_at_once(tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one joins, the other ends its join and removes what was joined."""
    out = tmp_path / "out"
    part(out, 0, 2)
    first = FeatureWriter(out, LAYERS, **PLAN, shard=(1, 2), batch_size=2)
    for rows in first.pending_batches():
        first.write(rows, values(rows))
    assert first.complete()
    shutil.copytree(out, tmp_path / "copy")
    join = first._join

    def late() -> None:
        assert part(out, 0, 2) is not None
        join()

    monkeypatch.setattr(first, "_join", late)
    assert len(first.finish()) == 11
    require_same(out, alone)
